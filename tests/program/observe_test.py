#!/usr/bin/env python3
"""`hawser observe` and what it looks at: the socket and who may open it, snapshots, orders, the live
view in a terminal, the metrics page, and a server that starts suspended."""

import errno
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import program  # noqa: E402
from program import LIMIT, Case, Program  # noqa: E402


def observe(*words, environment=None):
    return subprocess.run([program.hawser, "observe", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT,
                          env={**os.environ, **(environment or {})})


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=LIMIT)


def framed(packet):
    return struct.pack(">H", len(packet)) + packet


def receive(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            break
        data += more
    return data


class Folder(Case):
    """Each test has a folder of its own, which is its XDG_RUNTIME_DIR too."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        os.environ["XDG_RUNTIME_DIR"] = self.folder
        self.path = os.path.join(self.folder, "o.sock")

    def echo(self, *words):
        return Program("serve", "echo", "--listen", "127.0.0.1:0", "--observe", self.path,
                       "--log-level", "warning", *words)


class Socket(Folder):
    def test_only_the_owner_may_open_it_and_it_goes_with_the_program(self):
        with self.echo() as server:
            self.assertEqual(server.ready["observe"], "unix:" + self.path)
            mode = os.stat(self.path).st_mode
            self.assertTrue(stat.S_ISSOCK(mode))
            self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertFalse(os.path.exists(self.path))

    def test_a_file_left_behind_is_taken_over_and_one_in_use_is_not(self):
        with self.echo() as server:
            server.process.kill()
            server.process.wait()
            server.expect_status = -signal.SIGKILL
        self.assertTrue(os.path.exists(self.path))
        # The kernel may take a moment to let go of what a killed program's ring held.
        deadline = time.monotonic() + LIMIT
        while True:
            with socket.socket(socket.AF_UNIX) as sock:
                if sock.connect_ex(self.path) == errno.ECONNREFUSED:
                    break
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        with self.echo():
            other = subprocess.run([program.hawser, "serve", "echo", "--listen", "127.0.0.1:0",
                                    "--observe", self.path, "--log-level", "off"],
                                   capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual(other.returncode, 1)
            self.assertIn(self.path, other.stderr)
            self.assertEqual(observe(self.path, "--once", "--interval", "10ms").returncode, 0)

    def test_by_default_it_lies_in_the_runtime_folder_and_is_found_by_pid_or_alone(self):
        none = observe("--once")
        self.assertEqual((none.returncode, none.stdout), (1, ""))
        self.assertIn("no program of this user", none.stderr)
        with Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none") as hub:
            pid = hub.process.pid
            self.assertEqual(hub.ready["observe"], f"unix:{self.folder}/hawser/{pid}.sock")
            self.assertEqual(stat.S_IMODE(os.stat(self.folder + "/hawser").st_mode), 0o700)
            for words in ([], [str(pid)]):
                done = observe(*words, "--once", "--interval", "10ms")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("stomp", done.stdout)
                self.assertIn("bus/default/0", done.stdout)

    def test_off_and_a_folder_of_somebody_else(self):
        with Program("serve", "echo", "--listen", "127.0.0.1:0", "--observe", "off") as server:
            self.assertNotIn("observe", server.ready)
        os.mkdir(self.folder + "/hawser", 0o755)
        os.chmod(self.folder + "/hawser", 0o755)
        with Program("serve", "echo", "--listen", "127.0.0.1:0") as server:
            self.assertNotIn("observe", server.ready)
            self.assertIn("mode 0700", server.log())

    def test_the_protocol_by_hand(self):
        def ask(sock, request):
            text = json.dumps(request).encode()
            sock.sendall(struct.pack(">I", len(text)) + text)
            return json.loads(receive(sock, *struct.unpack(">I", receive(sock, 4))))

        with self.echo() as server, socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(LIMIT)
            sock.connect(self.path)
            answer = ask(sock, {"id": 7, "ask": "program"})
            self.assertEqual((answer["id"], answer["ok"]["pid"]), (7, server.process.pid))
            self.assertIn("none of program|", ask(sock, {"ask": "?"})["error"])
            self.assertIn("one JSON object", ask(sock, [1])["error"])
            sock.sendall(b"\xff\xff\xff\xff")  # longer than any request
            self.assertEqual(receive(sock, 1), b"")


class Snapshot(Folder):
    def test_json_has_servers_connections_and_rates(self):
        with self.echo() as server, connect(server.ready["packet"]) as one:
            one.settimeout(LIMIT)
            one.sendall(framed(b"hello") * 10)
            receive(one, 70)
            done = observe(self.path, "--json", "--interval", "50ms")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            shown = json.loads(done.stdout)
            self.assertEqual(shown["program"]["pid"], server.process.pid)
            echo = next(s for s in shown["figures"]["servers"] if s["name"] == "echo")
            self.assertEqual((echo["connections"], echo["packets_in"], echo["bytes_out"]),
                             (1, 10, 70))
            mine = next(c for c in shown["connections"]["connections"] if c["server"] == "echo")
            self.assertEqual(mine["peer"], "%s:%d" % one.getsockname())
            self.assertEqual(mine["packets_in"], 10)
            self.assertEqual(shown["tree"]["id"], "root")

    def test_nobody_there(self):
        done = observe(self.path, "--once")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn(self.path, done.stderr)
        done = observe(self.path)
        self.assertEqual(done.returncode, 1)
        with self.echo():
            self.assertIn("no terminal", observe(self.path).stderr)


class Orders(Folder):
    def test_a_server_starts_suspended_and_is_resumed_suspended_and_drained(self):
        with self.echo("--suspended") as server:
            with connect(server.ready["packet"]) as early:
                early.sendall(framed(b"wait"))
                early.settimeout(0.2)
                with self.assertRaises(TimeoutError):
                    early.recv(1)
                done = observe(self.path, "--resume", "echo")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                early.settimeout(LIMIT)
                self.assertEqual(receive(early, 6), framed(b"wait"))
            self.assertEqual(observe(self.path, "--suspend", "echo", "--refuse").returncode, 0)
            with self.assertRaises(ConnectionRefusedError):
                connect(server.ready["packet"])
            self.assertEqual(observe(self.path, "--resume", "echo").returncode, 0)
            with connect(server.ready["packet"]) as last:
                last.sendall(framed(b"x"))
                receive(last, 3)
                done = observe(self.path, "--drain", "echo", "--deadline", "5s")
                self.assertEqual(done.returncode, 0)
                self.assertEqual(json.loads(done.stdout)["connections"], 1)
                self.assertEqual(receive(last, 1), b"")

    def test_an_unknown_server_is_named(self):
        with self.echo():
            done = observe(self.path, "--suspend", "nobody")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("'nobody'", done.stderr)


class Metrics(Folder):
    def test_a_page_that_prometheus_reads(self):
        with self.echo("--metrics", "127.0.0.1:0") as server:
            with connect(server.ready["packet"]) as one:
                one.settimeout(LIMIT)
                one.sendall(framed(b"hello"))
                receive(one, 7)
                url = f"http://{server.ready['metrics']}"
                with urllib.request.urlopen(url + "/metrics", timeout=LIMIT) as answer:
                    self.assertIn("version=0.0.4", answer.headers["Content-Type"])
                    page = answer.read().decode()
            self.assertIn('hawser_server_connections{server="echo"} 1\n', page)
            self.assertIn('hawser_server_packets_received_total{server="echo"} 1\n', page)
            for line in page.splitlines():
                self.assertRegex(line, r'^(# (HELP|TYPE) \S+ .+'
                                       r'|[a-z_]+(\{([a-z]+="[^"]*",?)*\})? [-+0-9.einfINF]+)$')
            types = re.findall(r"^# TYPE (\S+) ", page, re.M)
            self.assertEqual(len(types), len(set(types)))
            with self.assertRaises(urllib.error.HTTPError) as wrong:
                urllib.request.urlopen(url + "/", timeout=LIMIT)
            self.assertEqual(wrong.exception.code, 404)
            wrong.exception.close()


class Terminal:
    """hawser observe in a terminal of its own; what it draws is kept as text."""

    def __init__(self, path, columns=80, rows=24):
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [program.hawser, "observe", path, "--interval", "50ms"], stdin=slave, stdout=slave,
            stderr=slave, env={**os.environ, "TERM": "xterm"}, start_new_session=True)
        self.text = ""

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def until(self, words):
        deadline = time.monotonic() + LIMIT
        while words not in self.text:
            if time.monotonic() > deadline:
                raise AssertionError(f"no {words!r} in {self.text[-3000:]!r}")
            os.write(self.master, b"\x0c")  # all of it anew: else only what has changed is drawn
            if select.select([self.master], [], [], 0.2)[0]:
                more = os.read(self.master, 65536).decode(errors="replace")
                self.text += re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])", "", more)

    def key(self, keys):
        self.text = ""
        os.write(self.master, keys.encode())

    def end(self):
        """Waits for its end, reading what it still draws."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
        return self.process.wait(timeout=1)


class Live(Folder):
    def test_views_a_trace_a_resize_and_the_terminal_as_it_was(self):
        with self.echo() as server, connect(server.ready["packet"]) as one, \
                Terminal(self.path) as terminal:
            one.settimeout(LIMIT)
            one.sendall(framed(b"hello"))
            receive(one, 7)
            terminal.until("accepting")
            terminal.key("2")
            terminal.until("|- observer")
            terminal.key("3")
            terminal.until("connections (2)")
            terminal.key("sss")
            terminal.until("by age")
            terminal.key("t")  # the first row: the oldest, which is not the observer's own
            terminal.until("is being traced")
            terminal.key("4")
            terminal.until("events (off)")
            one.sendall(framed(b"hello"))
            terminal.until("packet_in: 5 bytes")
            terminal.until("packet_out: 5 bytes")
            terminal.resize(40, 10)
            terminal.process.send_signal(signal.SIGWINCH)
            terminal.key("1")
            terminal.until("server")
            terminal.key("q")
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_a_program_that_goes_is_said_so_and_found_again(self):
        with Terminal(self.path) as terminal:
            terminal.until(self.path)  # nobody there: one line, and the end
            self.assertEqual(terminal.end(), 1)
        with self.echo() as first:
            terminal = self.enterContext(Terminal(self.path))
            terminal.until("accepting")
            pid = first.process.pid
            self.assertIn(str(pid), terminal.text)
        terminal.text = ""
        terminal.until("trying again")
        with self.echo() as second:
            terminal.text = ""
            terminal.until(str(second.process.pid))
            terminal.process.send_signal(signal.SIGTERM)
            terminal.end()
            self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)


if __name__ == "__main__":
    program.main()
