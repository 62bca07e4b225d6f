#!/usr/bin/env python3
"""`hawser serve` on sockets from elsewhere: a second program takes the listening socket over under
a stream of new connections, of which none is refused, and the first one drains and ends; a socket
that systemd passes, and one by its number."""

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import program  # noqa: E402
from program import LIMIT, Case, Program  # noqa: E402


def packet(text):
    return struct.pack(">H", len(text)) + text


def answer(connection):
    head = connection.recv(2, socket.MSG_WAITALL)
    assert len(head) == 2, "closed without an answer"
    (length,) = struct.unpack(">H", head)
    return connection.recv(length, socket.MSG_WAITALL)


def talk(address, text=b"hello"):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(LIMIT)
        connection.connect(address)
        connection.sendall(packet(text))
        return answer(connection)


class Stream(threading.Thread):
    """One new connection after the other, each asked once, until stopped."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.count = 0
        self.wrong = None
        self.ending = False
        self.start()

    def run(self):
        try:
            while not self.ending:
                assert talk(self.address, b"%d" % self.count) == b"%d" % self.count
                self.count += 1
        except Exception as error:  # told by finish()
            self.wrong = error

    def wait(self, more):
        target, deadline = self.count + more, time.monotonic() + LIMIT
        while self.count < target and self.wrong is None and time.monotonic() < deadline:
            time.sleep(0.01)

    def finish(self):
        self.ending = True
        self.join()
        if self.wrong is not None:
            raise AssertionError(f"connection {self.count}: {self.wrong!r}")


class Handover(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "handover.sock")
        self.folder = folder.name

    def serve(self, listen, *more):
        return Program("serve", "echo", "--listen", listen, "--handover", self.path, *more)

    def take_over(self, address_text, address):
        with self.serve(address_text) as first:
            if address is None:
                address = first.address("packet")
            listen = first.ready["packet"]
            old = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
            self.addCleanup(old.close)
            old.settimeout(LIMIT)
            old.connect(address)
            old.sendall(packet(b"before"))
            self.assertEqual(answer(old), b"before")
            streams = [Stream(address) for _ in range(4)]
            for stream in streams:
                stream.wait(50)
            with self.serve(listen) as second:
                self.assertEqual(second.ready["packet"], listen)
                # The first drains: it answers what came before, and ends when its last one does.
                for stream in streams:
                    stream.wait(200)
                for stream in streams:
                    stream.finish()
                old.close()
                self.assertEqual(first.process.wait(timeout=LIMIT), 0)
                self.assertEqual(talk(address), b"hello")
                # The second can be taken over as well.
                with self.serve(listen) as third:
                    self.assertEqual(second.process.wait(timeout=LIMIT), 0)
                    self.assertEqual(talk(address), b"hello")
                    self.assertEqual(third.ready["packet"], listen)

    def test_tcp(self):
        self.take_over("127.0.0.1:0", None)

    def test_unix(self):
        path = os.path.join(self.folder, "it.sock")
        self.take_over("unix:" + path, path)
        self.assertFalse(os.path.exists(path), "the last one leaves no file behind")

    def test_a_successor_that_dies_changes_nothing(self):
        with self.serve("127.0.0.1:0") as first:
            listen, address = first.ready["packet"], first.address("packet")
            with socket.socket(socket.AF_UNIX) as successor:
                successor.settimeout(LIMIT)
                successor.connect(self.path)
                successor.sendall(b"HANDOVER 1\n")
                self.assertIn(b"SOCKET own echo\n", successor.recv(1024))
            self.assertEqual(talk(address), b"hello")
            with self.serve(listen):
                self.assertEqual(first.process.wait(timeout=LIMIT), 0)
                self.assertEqual(talk(address), b"hello")


class Activation(Case):
    """As systemd does it: descriptors from 3 on, told by environment variables."""

    def start(self, arguments, listener, environment):
        # LISTEN_PID is the child's own: a shell knows it, and becomes the program.
        shell = 'export LISTEN_PID=$$; exec "$@"' if environment else 'exec "$@"'
        return subprocess.Popen(["sh", "-c", shell, "sh", program.hawser, *arguments],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, pass_fds=(3,), text=True,
                                preexec_fn=lambda: os.dup2(listener.fileno(), 3),
                                env={**os.environ, **environment})

    def listener(self):
        made = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(made.close)
        return made

    def run_on(self, arguments, environment):
        listener = self.listener()
        # Clients that come before the program is there wait in the kernel's backlog.
        early = socket.create_connection(listener.getsockname(), timeout=LIMIT)
        self.addCleanup(early.close)
        early.sendall(packet(b"early"))
        child = self.start(arguments, listener, environment)
        try:
            ready = child.stdout.readline()
            self.assertTrue(ready.startswith("ready packet="), ready)
            self.assertEqual(answer(early), b"early")
            self.assertEqual(talk(listener.getsockname()), b"hello")
        finally:
            child.send_signal(signal.SIGTERM)
            _, errors = child.communicate(timeout=LIMIT)
        self.assertEqual(child.returncode, 0, errors)
        # It was not the program's: who holds it goes on to listen.
        socket.create_connection(listener.getsockname(), timeout=LIMIT).close()

    def test_systemd_by_name(self):
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notified.close)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "notify")
            notified.bind(path)
            notified.settimeout(LIMIT)
            self.run_on(["serve", "echo", "--listen", "systemd:web"],
                        {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "NOTIFY_SOCKET": path})
            self.assertEqual(notified.recv(100), b"READY=1")

    def test_by_number(self):
        self.run_on(["serve", "echo", "--listen", "fd:3"], {})

    def fails(self, arguments, environment, *words):
        child = self.start(arguments, self.listener(), environment)
        out, errors = child.communicate(timeout=LIMIT)
        self.assertNotEqual(child.returncode, 0)
        self.assertEqual(out, "")
        for word in words:
            self.assertIn(word, errors)

    def test_what_is_wrong_is_named(self):
        self.fails(["serve", "echo", "--listen", "systemd:other"],
                   {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}, "'other'", "web")
        self.fails(["serve", "echo", "--listen", "fd:9"], {}, "9")
        self.fails(["serve", "echo", "--listen", "fd:x"], {}, "fd:x")
        self.fails(["serve", "echo", "--listen", "systemd:"], {}, "FileDescriptorName")


if __name__ == "__main__":
    program.main()
