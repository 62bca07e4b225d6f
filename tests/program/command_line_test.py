#!/usr/bin/env python3
"""The program's own promises: help, one line for what is wrong, exit codes, the ready line, the
configuration file, signals, and its STOMP commands with its hub."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import program  # noqa: E402
from program import LIMIT, Case, Program  # noqa: E402


def run(*words, stdin="", environment=None):
    return subprocess.run([program.hawser, *words], input=stdin, capture_output=True, text=True,
                          timeout=LIMIT, env={**os.environ, **(environment or {})})


class Usage(Case):
    def assert_refused(self, *words, status=2, says=()):
        done = run(*words)
        self.assertEqual(done.returncode, status, done)
        self.assertEqual(done.stdout, "")
        lines = [line for line in done.stderr.splitlines() if line.startswith("hawser")]
        self.assertEqual(len(lines), 1, done.stderr)
        if status == 2:
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in says:
            self.assertIn(word, lines[0])
        return lines[0]

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^hawser \d+\.\d+\.\d+\n$")

    def test_every_command_has_help_with_an_example(self):
        for words in ([], ["hub"], ["serve"], ["serve", "ping"], ["serve", "echo"], ["stomp"],
                      ["stomp", "send"], ["stomp", "subscribe"], ["noam"], ["noam", "host"],
                      ["noam", "lemma"], ["bench", "stomp"], ["bench", "noam"]):
            with self.subTest(words=words):
                done = run(*words, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("Usage: hawser", done.stdout)
                if words in (["hub"], ["serve", "ping"], ["stomp", "send"]):
                    self.assertIn("Example", done.stdout)

    def test_wrong_words(self):
        self.assert_refused(says=["subcommand", "--help"])
        self.assert_refused("jump")
        self.assert_refused("hub", "--nothing", says=["--nothing"])
        self.assert_refused("hub", "word", says=["word"])
        self.assert_refused("serve", says=["hawser serve --help"])
        self.assert_refused("hub", "--schedulers", "many", says=["--schedulers", "'many'"])
        self.assert_refused("hub", "--drain-limit", "10", says=["--drain-limit", "'10'", "10s"])
        self.assert_refused("hub", "--stomp", "localhost", says=["--stomp", "localhost"])
        self.assert_refused("hub", "--stomp", "none", "--packet", "none", says=["nowhere to listen"])
        self.assert_refused("serve", "echo", "--length-bytes", "3", says=["--length-bytes", "'3'"])
        self.assert_refused("serve", "echo", "--packet-limit", "64K", says=["--packet-limit", "'64K'"])
        self.assert_refused("stomp", "send", "stomp://h", says=["DESTINATION"])
        self.assert_refused("stomp", "send", "stomp://h", "/topic/a", "b", "--header", "x", says=["--header", "'x'"])

    def test_a_passcode_is_never_shown(self):
        for url in ("stomp://me:sesame@ho st", "me:sesame@host", "stomp://me:sesame/x@host",
                    "stomp://me:sesame@host:99999"):
            line = self.assert_refused("stomp", "send", url, "/topic/a", "b")
            self.assertNotIn("sesame", line)
        line = self.assert_refused("stomp", "send", "stomp://me:sesame@127.0.0.1:1", "/topic/a", "b",
                                   status=1, says=["me:***@127.0.0.1:1"])
        self.assertNotIn("sesame", line)

    def test_nobody_listens(self):
        self.assert_refused("stomp", "send", "stomp://127.0.0.1:1", "/topic/a", "b", status=1,
                            says=["127.0.0.1:1", "ECONNREFUSED"])


class Configuration(Case):
    def file(self, text):
        file = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".toml"))
        file.write(text)
        file.flush()
        return file.name

    def test_a_file_and_the_command_line(self):
        path = self.file('stomp = "127.0.0.1:0"\npacket = "none"\nschedulers = 1\n'
                         'stomp-login-timeout = "5s"\nlog-level = "off"\n')
        with Program("hub", "--config", path) as hub:
            self.assertIn("stomp", hub.ready)
            self.assertNotIn("packet", hub.ready)
        with Program("hub", "--config", path, "--stomp", "none", "--packet", "127.0.0.1:0") as hub:
            self.assertNotIn("stomp", hub.ready)
            self.assertIn("packet", hub.ready)

    def test_the_documented_file_has_every_option_with_its_default(self):
        docs = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/operations.md")
        with open(docs, encoding="utf-8") as file:
            example = file.read().split("```toml\n")[1].split("```")[0]
        path = self.file(example)
        with Program("hub", "--config", path, "--stomp", "127.0.0.1:0", "--packet", "none") as hub:
            self.assertIn("stomp", hub.ready)
        shown = dict(re.findall(r"^  --([a-z-]+) \S+?=(\S+)", run("hub", "--help").stdout, re.M))
        written = {name: value.strip('"') for name, value in
                   re.findall(r"^([a-z-]+) = (\S+)", example, re.M)}
        self.assertEqual(written, shown)

    def test_mistakes(self):
        for text, says in (('\n\nstompp = "x"\n', ":3: unknown key 'stompp'"),
                           ('schedulers = "many"\n', ":1: schedulers: 'many'"),
                           ("[stomp]\n", ":1: unknown table 'stomp'"),
                           ("stomp = \n", ":1: ")):
            path = self.file(text)
            done = run("hub", "--config", path)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(path + says, done.stderr)

    def test_an_unreadable_file(self):
        done = run("hub", "--config", "/nowhere/hawser.toml")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("/nowhere/hawser.toml", done.stderr)


class Running(Case):
    def test_both_engines_and_the_real_ports(self):
        for engine in ("uring", "epoll"):
            with self.subTest(engine=engine):
                os.environ["HAWSER_ENGINE"] = engine
                self.addCleanup(os.environ.pop, "HAWSER_ENGINE", None)
                with Program("hub", "--stomp", "127.0.0.1:0", "--packet", "127.0.0.1:0") as hub:
                    self.assertEqual(hub.ready["engine"], engine)
                    self.assertNotEqual(hub.address("stomp")[1], 0)
                    self.assertNotEqual(hub.address("packet")[1], 0)
                    self.assertNotIn("try:", hub.log(), "hints are for terminals")

    def test_a_wrong_engine(self):
        done = run("hub", "--stomp", "127.0.0.1:0", environment={"HAWSER_ENGINE": "steam"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("steam", done.stderr)

    def test_a_taken_port(self):
        with Program("serve", "ping", "--listen", "127.0.0.1:0") as server:
            address = server.ready["packet"]
            for words in (("hub", "--stomp", address), ("hub", "--stomp", "none", "--packet", address),
                          ("serve", "echo", "--listen", address)):
                done = run(*words, "--log-level", "off")
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(address, done.stderr)
                self.assertIn("taken", done.stderr)

    def test_sigint_ends_it_well(self):
        with Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none") as hub:
            hub.process.send_signal(signal.SIGINT)
            self.assertEqual(hub.process.wait(LIMIT), 0)

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            with Program("serve", "ping", "--listen", f"unix:{folder}/ping") as server:
                self.assertEqual(server.ready["packet"], f"unix:{folder}/ping")


class Stomp(Case):
    @classmethod
    def setUpClass(cls):
        cls.hub = cls.enterClassContext(Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none"))
        cls.url = "stomp://" + cls.hub.ready["stomp"]

    def send(self, *words, stdin=""):
        done = run("stomp", "send", self.url, *words, stdin=stdin)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def take(self, destination, count, *words):
        done = run("stomp", "subscribe", self.url, destination, "--count", str(count), *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_sends_and_takes(self):
        self.send("/queue/plain", "hello", "--content-type", "text/plain", "--header", "colour:red")
        self.send("/queue/plain", "again", "--receipt")
        self.assertEqual(self.take("/queue/plain", 2),
                         '/queue/plain (5 bytes) content-type:"text/plain" colour:"red"\nhello\n'
                         "/queue/plain (5 bytes)\nagain\n")

    def test_stdin_and_raw(self):
        body = "two lines\nand a \x1b[31mtrick\x1b[0m"
        self.send("/queue/raw", stdin=body)
        self.assertEqual(self.take("/queue/raw", 1, "--raw"), body + "\n")
        self.send("/queue/raw", stdin=body)
        self.assertIn("a \\x1b[31mtrick", self.take("/queue/raw", 1))

    def test_the_brokers_error_is_passed_on(self):
        done = run("stomp", "send", self.url, "nowhere", "x")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("unknown destination", done.stderr)

    def test_a_broker_that_hangs_up_at_the_goodbye_has_done_its_work(self):
        """As RabbitMQ does over WebSocket: DISCONNECT is answered by the end."""
        def serve(listener):
            peer, _ = listener.accept()
            with peer, peer.makefile("rb") as octets:
                head = b""
                while not head.endswith(b"\0"):
                    octet = octets.read(1)
                    if not octet:
                        return
                    head += octet
                    if head.endswith(b"\0"):
                        command, *lines = head.strip(b"\n\0").split(b"\n")
                        receipt = [line[8:] for line in lines if line.startswith(b"receipt:")]
                        if command == b"DISCONNECT":
                            return
                        if command in (b"CONNECT", b"STOMP"):
                            peer.sendall(b"CONNECTED\nversion:1.2\n\n\0")
                        elif receipt:
                            peer.sendall(b"RECEIPT\nreceipt-id:" + receipt[0] + b"\n\n\0")
                        head = b""

        for words in ((), ("--receipt",)):
            with self.subTest(words), socket.create_server(("127.0.0.1", 0)) as listener:
                thread = threading.Thread(target=serve, args=(listener,))
                thread.start()
                done = run("stomp", "send", "stomp://127.0.0.1:%d" % listener.getsockname()[1], "/queue/a", "x",
                           *words)
                thread.join()
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_signal_ends_a_subscription_well(self):
        listener = subprocess.Popen([program.hawser, "stomp", "subscribe", self.url, "/topic/sig"],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            # It prints only once it is subscribed: what is sent before is lost on a topic.
            with subprocess.Popen(["/bin/sh", "-c", 'while :; do "$0" stomp send "$1" /topic/sig x; done',
                                   program.hawser, self.url], start_new_session=True) as sender:
                try:
                    self.assertEqual(listener.stdout.readline(), b"/topic/sig (1 bytes)\n")
                finally:
                    os.killpg(sender.pid, signal.SIGKILL)
            listener.send_signal(signal.SIGINT)
            listener.communicate(timeout=LIMIT)
            self.assertEqual(listener.returncode, 0)
        finally:
            listener.kill()
            listener.wait()


if __name__ == "__main__":
    program.main()
