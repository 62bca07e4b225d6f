"""The hawser program under test: started, waited for by its ready line, and stopped by its pid.

Every script here runs as `python3 SCRIPT.py --hawser PATH [--peer PATH] [unittest arguments]` and
ends with 77 when the foreign package that it is about is absent.
"""

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

LIMIT = 60.0  # seconds for anything that should come at once; only a failure waits so long
SKIPPED = 77  # SKIP_RETURN_CODE of these tests

hawser = None  # the program's path, set by main()
peer = None  # that of peer.cpp, likewise


class Program:
    """`with Program("hub", "--stomp", "127.0.0.1:0") as hub:`; leaving it ends the program by
    SIGTERM and fails unless it ends well."""

    def __init__(self, *arguments, expect_status=0, executable=None):
        if arguments[0] == "hub" and "--data" not in arguments:
            arguments += ("--data", ":memory:")
        self.arguments = [executable or hawser, *arguments]
        self.expect_status = expect_status
        self.ready = {}

    def __enter__(self):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        try:
            self._await_ready()
        except BaseException:
            self.process.kill()
            self.process.communicate()
            self.errors.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            self._end(kind)
        finally:
            self.errors.close()

    def _end(self, kind):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            rest, _ = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError(f"{self.arguments} did not end after SIGTERM\n{self.log()}") from None
        if kind is not None:
            print(f"--- {' '.join(self.arguments)} said:\n{self.log()}---", file=sys.stderr)
            return
        if self.process.returncode != self.expect_status:
            raise AssertionError(f"status {self.process.returncode} of {self.arguments}\n{self.log()}")
        if rest:
            raise AssertionError(f"more than the ready line on stdout: {rest!r}")

    def _await_ready(self):
        deadline = time.monotonic() + LIMIT
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise AssertionError(f"no ready line from {self.arguments}\n{self.log()}")
                octet = os.read(self.process.stdout.fileno(), 1)
                if not octet:
                    raise AssertionError(f"{self.arguments} ended before it was ready\n{self.log()}")
                line += octet
        text = line.decode()
        if not re.fullmatch(r"ready( [a-z-]+=\S+)+\n", text):
            raise AssertionError(f"not a ready line: {text!r}")
        self.ready = dict(field.split("=", 1) for field in text.split()[1:])
        if int(self.ready["pid"]) != self.process.pid:
            raise AssertionError(f"the ready line names another pid than {self.process.pid}: {text}")

    def address(self, name):
        """("127.0.0.1", 61613) of the ready line's field."""
        host, port = self.ready[name].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def log(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")


def serve_by_peer(**words):
    """Our echo server with options that `hawser serve` has not; a Program."""
    return Program("serve", "address=127.0.0.1:0", *_words(words), executable=peer)


def call_by_peer(address, **words):
    """Our client against somebody at "127.0.0.1:7007": the lines it prints, of which the last is
    "done" when every echo was right."""
    host_port = address if isinstance(address, str) else "%s:%d" % address
    done = subprocess.run([peer, "connect", f"address={host_port}", *_words(words)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode != 0:
        raise AssertionError(f"peer ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()


def _words(words):
    return [f"{key}={value}" for key, value in words.items()]


class Foreign:
    """A foreign program in the background: `with Foreign("socat", …) as peer:`; killed in the end.
    `await_line` reads its standard output (and error) up to a line that has `text`."""

    def __init__(self, *command, **options):
        self.command = command
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, **self.options)
        self.seen = b""
        return self

    def __exit__(self, kind, *_):
        self.process.kill()
        rest, _ = self.process.communicate()
        if kind is not None:
            print(f"--- {' '.join(self.command)} said:\n{(self.seen + rest).decode(errors='replace')}---",
                  file=sys.stderr)

    def write(self, octets):
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def await_line(self, text):
        deadline = time.monotonic() + LIMIT
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise AssertionError(f"{self.command} never said {text!r}: {self.seen!r}")
                octet = os.read(self.process.stdout.fileno(), 1)
                if not octet:
                    raise AssertionError(f"{self.command} ended before {text!r}: {self.seen!r}")
                self.seen += octet
                line += octet
                if octet == b"\n":
                    if text.encode() in line:
                        return line.decode(errors="replace").rstrip("\r\n")
                    line = b""


def free_port():
    """A port for a foreign server that cannot tell which one it took."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def await_listener(port):
    """Until somebody listens there: nothing else tells with some foreign servers."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=LIMIT):
                return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Case(unittest.TestCase):
    longMessage = True
    maxDiff = None


def main(skip_reason=None):
    """Runs the script's tests; `skip_reason` tells which package is absent."""
    global hawser, peer
    if skip_reason:
        print(f"skipped: {skip_reason}")
        sys.exit(SKIPPED)
    words = sys.argv[1:]
    if len(words) < 2 or words[0] != "--hawser":
        print(f"usage: {sys.argv[0]} --hawser PROGRAM [--peer PROGRAM] [unittest arguments]",
              file=sys.stderr)
        sys.exit(2)
    hawser = os.path.abspath(words[1])
    words = words[2:]
    if words[:1] == ["--peer"] and len(words) >= 2:
        peer = os.path.abspath(words[1])
        words = words[2:]
    unittest.main(argv=[sys.argv[0], *words], verbosity=2)
