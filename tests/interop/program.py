"""The hawser program under test: started, waited for by its ready line, and stopped by its pid.

Every script here runs as `python3 SCRIPT.py --hawser PATH [unittest arguments]` and ends with 77
when the foreign package that it is about is absent.
"""

import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import unittest

LIMIT = 60.0  # seconds for anything that should come at once; only a failure waits so long
SKIPPED = 77  # SKIP_RETURN_CODE of these tests

hawser = None  # the program's path, set by main()


class Program:
    """`with Program("hub", "--stomp", "127.0.0.1:0") as hub:`; leaving it ends the program by
    SIGTERM and fails unless it ends well."""

    def __init__(self, *arguments, expect_status=0):
        if arguments[0] == "hub" and "--data" not in arguments:
            arguments += ("--data", ":memory:")
        self.arguments = [hawser, *arguments]
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


class Case(unittest.TestCase):
    longMessage = True
    maxDiff = None


def main(skip_reason=None):
    """Runs the script's tests; `skip_reason` tells which package is absent."""
    global hawser
    if skip_reason:
        print(f"skipped: {skip_reason}")
        sys.exit(SKIPPED)
    words = sys.argv[1:]
    if len(words) < 2 or words[0] != "--hawser":
        print(f"usage: {sys.argv[0]} --hawser PROGRAM [unittest arguments]", file=sys.stderr)
        sys.exit(2)
    hawser = os.path.abspath(words[1])
    unittest.main(argv=[sys.argv[0], *words[2:]], verbosity=2)
