#!/usr/bin/env python3
"""Every figure of the broker beside RabbitMQ, ActiveMQ and nats-server, in one run:

    bench/run_stomp.py [--build build/release] [--without NAME]… [words for `hawser bench stomp`]

Starts those of them that Debian's packages have put there, each in a scratch folder, on free loopback
ports, as its package's user when we are root; then runs `hawser bench stomp` with them, and ends them
by their pids. The status is that of the comparison: 1 when a bar is missed.
"""

import argparse
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_LIMIT = 240.0  # seconds; RabbitMQ needs 8 of its own on a quiet machine


def free_ports(count):
    """All at once, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Broker:
    user = ""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix=f"hawser-bench-{self.name}-")
        self.ports = free_ports(4)
        self.processes = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, text, *names):
        os.makedirs(os.path.dirname(self.path(*names)), exist_ok=True)
        with open(self.path(*names), "w", encoding="utf-8") as file:
            file.write(text)

    def spawn(self, *command, **environment):
        owner = {}
        if self.user and os.geteuid() == 0:
            entry = pwd.getpwnam(self.user)
            owner = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            for place, _, names in os.walk(self.folder):
                for name in (place, *(os.path.join(place, each) for each in names)):
                    os.chown(name, entry.pw_uid, entry.pw_gid)
        with open(self.path("log"), "ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.folder, **environment},
                # Should this script be killed, they go with it.
                preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL), **owner)
        self.processes.append(process)
        return process

    def start(self):
        process = self.launch()
        deadline = time.monotonic() + START_LIMIT
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                with open(self.path("log"), encoding="utf-8", errors="replace") as log:
                    sys.exit(f"{self.name} does not start:\n{log.read()[-4000:]}")
            time.sleep(0.1)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=5) as peer:
                peer.sendall(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0")
                return peer.recv(4096).lstrip().startswith(b"CONNECTED")
        except OSError:
            return False

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def words(self):
        return ["--server", f"{self.name}=guest:guest@127.0.0.1:{self.ports[0]}"]


class RabbitMq(Broker):
    name = user = "rabbitmq"
    server = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    @classmethod
    def there(cls):
        return os.path.exists(cls.server)

    def launch(self):
        stomp, names, node, _ = self.ports
        self.write(f"listeners.tcp = none\nstomp.listeners.tcp.1 = 127.0.0.1:{stomp}\nlog.console = true\n"
                   "log.console.level = error\nlog.file = false\ndisk_free_limit.absolute = 1MB\n", "rabbitmq.conf")
        self.write("[rabbitmq_stomp].\n", "enabled_plugins")
        self.write("", "empty")
        # A name server of its own: one that it started itself would outlive it.
        self.spawn("epmd", "-port", str(names), "-address", "127.0.0.1")
        # With "input allowed" the script becomes the broker: one pid.
        return self.spawn(
            self.server, RABBITMQ_ALLOW_INPUT="true", RABBITMQ_NODENAME=f"bench{os.getpid()}@localhost",
            RABBITMQ_DIST_PORT=str(node), RABBITMQ_MNESIA_BASE=self.path("mnesia"),
            RABBITMQ_LOG_BASE=self.path("logs"), RABBITMQ_CONFIG_FILE=self.path("rabbitmq.conf"),
            RABBITMQ_CONF_ENV_FILE=self.path("empty"), RABBITMQ_ENABLED_PLUGINS_FILE=self.path("enabled_plugins"),
            RABBITMQ_PID_FILE=self.path("pid"), ERL_EPMD_PORT=str(names), ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}")


class ActiveMq(Broker):
    name = user = "activemq"
    home = "/usr/share/activemq"

    @classmethod
    def there(cls):
        return os.path.exists(cls.home + "/bin/activemq.jar")

    def launch(self):
        self.write(f"""<beans xmlns="http://www.springframework.org/schema/beans"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://www.springframework.org/schema/beans
      http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
      http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="localhost"
      dataDirectory="{self.path("data")}" schedulerSupport="false">
    <persistenceAdapter><kahaDB directory="{self.path("data", "kahadb")}"/></persistenceAdapter>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:{self.ports[0]}"/>
    </transportConnectors>
  </broker>
</beans>
""", "conf", "activemq.xml")
        self.write("rootLogger.level=ERROR\nrootLogger.appenderRef.console.ref=Console\n"
                   "appender.console.type=Console\nappender.console.name=Console\n"
                   "appender.console.layout.type=PatternLayout\nappender.console.layout.pattern=%p %m%n\n",
                   "conf", "log4j2.properties")
        opened = ("java.base/java.security", "java.base/java.net", "java.base/java.lang", "java.base/java.util",
                  "java.naming/javax.naming.spi", "java.rmi/sun.rmi.transport.tcp",
                  "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic")
        # Heap and task runner as the packaged script has them; that script's pid file holds a shell's pid.
        return self.spawn(
            "java", "-Xms512M", "-Xmx512M",
            *(word for name in opened for word in ("--add-opens", name + "=ALL-UNNAMED")),
            "-Dorg.apache.activemq.UseDedicatedTaskRunner=true", "-Djava.io.tmpdir=" + self.folder,
            "-Dlog4j2.configurationFile=" + self.path("conf", "log4j2.properties"),
            "-Dactivemq.classpath=" + self.path("conf"), "-Dactivemq.home=" + self.home,
            "-Dactivemq.base=" + self.folder, "-Dactivemq.conf=" + self.path("conf"),
            "-Dactivemq.data=" + self.path("data"), "-jar", self.home + "/bin/activemq.jar", "start",
            "xbean:file:" + self.path("conf", "activemq.xml"))


class Nats(Broker):
    name = "nats"

    @classmethod
    def there(cls):
        return shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin") is not None

    def launch(self):
        return self.spawn(shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin"),
                          "-a", "127.0.0.1", "-p", str(self.ports[0]))

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=5) as peer:
                return peer.recv(16).startswith(b"INFO")
        except OSError:
            return False

    def words(self):
        return ["--server", f"{self.name}=nats://127.0.0.1:{self.ports[0]}"]


BROKERS = {"rabbitmq": RabbitMq, "activemq": ActiveMq, "nats": Nats}


def main():
    parser = argparse.ArgumentParser(description="The broker's figures beside those of others, with its bars.")
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--without", action="append", default=[], choices=BROKERS,
                        help="not this one; may be repeated")
    arguments, words = parser.parse_known_args()
    brokers = []
    try:
        for name, kind in BROKERS.items():
            if name in arguments.without:
                continue
            if not kind.there():
                print(f"{name} is not installed", file=sys.stderr)
                continue
            brokers.append(kind())
            brokers[-1].start()
        servers = [word for broker in brokers for word in broker.words()]
        status = subprocess.run([os.path.join(arguments.build, "hawser"), "bench", "stomp", *servers, *words],
                                check=False).returncode
    finally:
        for broker in brokers:
            broker.stop()
    sys.exit(status)


if __name__ == "__main__":
    main()
