"""RabbitMQ and ActiveMQ of Debian, each in a scratch folder, on free loopback ports, as the user that
its package made (as ourselves when we are not root). A broker of the machine's own is not touched:
nothing is shared with it, neither ports, nor epmd, nor files."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from program import LIMIT, free_port

USER, PASSCODE = "guest", "guest"  # RabbitMQ's own; ActiveMQ is given the same
HEAP = "-Xmx512M"
START = 240.0  # seconds; RabbitMQ needs 8 of its own, and a busy machine has others


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: when the test itself is killed


class ForeignBroker:
    """`with RabbitMq(certificates) as broker:` and then `broker.port`, `.tls_port`, `.kill()`,
    `.start()`. Ready means that a CONNECT is answered by CONNECTED."""

    user = ""

    def __init__(self, certificates=None):
        self.certificates = certificates
        self.running = []

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="hawser-" + self.user)
        try:
            self.port, self.tls_port = free_port(), free_port()
            self.owner = pwd.getpwnam(self.user) if os.geteuid() == 0 else None
            self.prepare()
            self._own(self.folder)
            self.start()
        except BaseException:
            self.__exit__(BaseException)
            raise
        return self

    def __exit__(self, kind, *_):
        for process in reversed(self.running):
            self._end(process)
        self.running.clear()
        if kind is not None:
            print(f"--- {self.user} said:\n{self.log()[-20000:]}---", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def _own(self, folder):
        """Its user reads and writes there, and everything it is given."""
        if not self.owner:
            return
        for place, _, names in os.walk(folder):
            for name in (place, *(os.path.join(place, name) for name in names)):
                os.chown(name, self.owner.pw_uid, self.owner.pw_gid)

    def spawn(self, *command, **environment):
        more = {"user": self.owner.pw_uid, "group": self.owner.pw_gid,
                "extra_groups": []} if self.owner else {}
        with open(self.path("log"), "ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.folder, **environment},
                preexec_fn=_die_with_parent, **more)
        self.running.append(process)
        return process

    def kill(self):
        """SIGKILL, as a crash would be."""
        self.broker.kill()
        self._end(self.broker)
        self.running.remove(self.broker)

    def start(self):
        self.broker = self.launch()
        deadline = time.monotonic() + START
        while not self._answers():
            if self.broker.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.user} does not start:\n{self.log()[-20000:]}")
            time.sleep(0.05)

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as peer:
                peer.sendall(f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{USER}\n"
                             f"passcode:{PASSCODE}\n\n\0".encode())
                return peer.recv(4096).lstrip().startswith(b"CONNECTED")
        except OSError:
            return False

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()


class RabbitMq(ForeignBroker):
    """With its STOMP and WebSocket plugins; `.websocket_port` and, with certificates, `.websocket_tls_port`,
    path /ws."""

    user = "rabbitmq"
    name = "RabbitMQ"
    scripts = "/usr/lib/rabbitmq/bin"

    @classmethod
    def absent(cls):
        return None if os.path.exists(cls.scripts + "/rabbitmq-server") else "rabbitmq-server is not installed"

    def prepare(self):
        self.websocket_port, self.websocket_tls_port = free_port(), free_port()
        self.epmd_port, self.node_port = free_port(), free_port()
        tls = ""
        if self.certificates:
            for name, source in (("ca", self.certificates.ca), ("certificate", self.certificates.certificate),
                                 ("key", self.certificates.key)):
                shutil.copyfile(source, self.path(name + ".pem"))
            tls = f"""stomp.listeners.ssl.1 = 127.0.0.1:{self.tls_port}
ssl_options.cacertfile = {self.path("ca.pem")}
ssl_options.certfile = {self.path("certificate.pem")}
ssl_options.keyfile = {self.path("key.pem")}
ssl_options.verify = verify_none
web_stomp.ssl.ip = 127.0.0.1
web_stomp.ssl.port = {self.websocket_tls_port}
web_stomp.ssl.cacertfile = {self.path("ca.pem")}
web_stomp.ssl.certfile = {self.path("certificate.pem")}
web_stomp.ssl.keyfile = {self.path("key.pem")}
"""
        self.write("rabbitmq.conf", f"""listeners.tcp = none
stomp.listeners.tcp.1 = 127.0.0.1:{self.port}
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {self.websocket_port}
web_stomp.ws_frame = binary
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 1MB
{tls}""")
        self.write("enabled_plugins", "[rabbitmq_stomp,rabbitmq_web_stomp].\n")
        self.write("empty", "")

    def launch(self):
        if len(self.running) == 0:
            # Its own name server, or it would start one that outlives it.
            self.spawn("epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1")
            deadline = time.monotonic() + LIMIT
            while True:
                try:
                    socket.create_connection(("127.0.0.1", self.epmd_port)).close()
                    break
                except ConnectionRefusedError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
        # With "input allowed" the script becomes the broker: one pid, and it ends with its stdin.
        return self.spawn(
            self.scripts + "/rabbitmq-server", RABBITMQ_ALLOW_INPUT="true",
            RABBITMQ_NODENAME="interop@localhost", RABBITMQ_DIST_PORT=str(self.node_port),
            RABBITMQ_MNESIA_BASE=self.path("mnesia"), RABBITMQ_LOG_BASE=self.path("logs"),
            RABBITMQ_CONFIG_FILE=self.path("rabbitmq.conf"), RABBITMQ_CONF_ENV_FILE=self.path("empty"),
            RABBITMQ_ENABLED_PLUGINS_FILE=self.path("enabled_plugins"),
            RABBITMQ_PID_FILE=self.path("pid"), ERL_EPMD_PORT=str(self.epmd_port),
            ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}")


class ActiveMq(ForeignBroker):
    """With one user, so that a passcode can be wrong; `.nio_port` is its other connector."""

    user = "activemq"
    name = "ActiveMQ"
    home = "/usr/share/activemq"

    @classmethod
    def absent(cls):
        return None if os.path.exists(cls.home + "/bin/activemq.jar") else "activemq is not installed"

    def prepare(self):
        self.nio_port = free_port()
        tls, connector = "", ""
        if self.certificates:
            subprocess.run(["openssl", "pkcs12", "-export", "-passout", "pass:changeit",
                            "-in", self.certificates.certificate, "-inkey", self.certificates.key,
                            "-certfile", self.certificates.ca, "-name", "broker", "-out", self.path("keys.p12")],
                           check=True, capture_output=True, stdin=subprocess.DEVNULL)
            tls = f"""<sslContext><sslContext keyStore="file:{self.path("keys.p12")}" keyStoreType="PKCS12"
              keyStorePassword="changeit" trustStore="file:{self.path("keys.p12")}" trustStoreType="PKCS12"
              trustStorePassword="changeit"/></sslContext>"""
            connector = f'<transportConnector name="stomp+ssl" uri="stomp+ssl://127.0.0.1:{self.tls_port}"/>'
        self.write("conf/activemq.xml", f"""<beans xmlns="http://www.springframework.org/schema/beans"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://www.springframework.org/schema/beans
      http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
      http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" useShutdownHook="true"
      brokerName="localhost" dataDirectory="{self.path("data")}" schedulerSupport="false">
    <persistenceAdapter><kahaDB directory="{self.path("data")}/kahadb"/></persistenceAdapter>
    <plugins><simpleAuthenticationPlugin><users>
      <authenticationUser username="{USER}" password="{PASSCODE}" groups="users"/>
    </users></simpleAuthenticationPlugin></plugins>
    {tls}
    <systemUsage><systemUsage>
      <storeUsage><storeUsage limit="1 gb"/></storeUsage>
      <tempUsage><tempUsage limit="500 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:{self.port}"/>
      <transportConnector name="stomp+nio" uri="stomp+nio://127.0.0.1:{self.nio_port}"/>
      {connector}
    </transportConnectors>
  </broker>
</beans>
""")
        self.write("conf/log4j2.properties", """rootLogger.level=WARN
rootLogger.appenderRef.console.ref=Console
appender.console.type=Console
appender.console.name=Console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ABSOLUTE} %5p %c{1}: %m%n
""")

    def launch(self):
        # Without the packaged script, whose pid file would hold the shell's pid, not the broker's.
        opened = ("java.base/java.security", "java.base/java.net", "java.base/java.lang", "java.base/java.util",
                  "java.naming/javax.naming.spi", "java.rmi/sun.rmi.transport.tcp",
                  "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic")
        return self.spawn(
            "java", HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            *(word for name in opened for word in ("--add-opens", name + "=ALL-UNNAMED")),
            "-Dorg.apache.activemq.UseDedicatedTaskRunner=true", "-Djava.io.tmpdir=" + self.folder,
            "-Dlog4j2.configurationFile=" + self.path("conf/log4j2.properties"),
            "-Dactivemq.classpath=" + self.path("conf"), "-Dactivemq.home=" + self.home,
            "-Dactivemq.base=" + self.folder, "-Dactivemq.conf=" + self.path("conf"),
            "-Dactivemq.data=" + self.path("data"), "-jar", self.home + "/bin/activemq.jar", "start",
            "xbean:file:" + self.path("conf/activemq.xml"))
