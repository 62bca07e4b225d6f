#!/usr/bin/env python3
"""Replaces the handler of a running `hawser serve FILE.so` under load: no connection and no byte is
lost, each counter goes on, the new behaviour is everywhere, the old object leaves memory; what
cannot be migrated keeps its version and the program says why."""

import os
import re
import selectors
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import program  # noqa: E402
from program import LIMIT, Case, Program  # noqa: E402

modules = None  # the folder with counter_1.so, counter_2.so, counter_3.so
CONNECTIONS = 100
DEPTH = 8  # requests in flight on each


class Client:
    """Numbered requests without a pause; every answer is compared with the one due."""

    def __init__(self, address, number):
        self.socket = socket.create_connection(address, timeout=LIMIT)
        self.socket.setblocking(False)
        self.number = number
        self.asked = 0
        self.answered = 0
        self.received = b""
        self.unsent = b""
        self.version = 1  # never falls unless told

    def ask(self):
        self.asked += 1
        payload = f"{self.number}.{self.asked}".encode()
        self.unsent += struct.pack(">H", len(payload)) + payload

    def send(self):
        if self.unsent:
            try:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
            except BlockingIOError:
                pass

    def read(self):
        octets = self.socket.recv(65536)
        assert octets, f"connection {self.number} was closed after {self.answered} answers"
        self.received += octets
        while len(self.received) >= 2:
            (length,) = struct.unpack(">H", self.received[:2])
            if len(self.received) < 2 + length:
                break
            self.check(self.received[2:2 + length].decode())
            self.received = self.received[2 + length:]

    def check(self, answer):
        self.answered += 1
        due = f"{self.answered} {self.number}.{self.answered}"
        found = re.fullmatch(re.escape(due) + r"(?: \((\d+) bytes\)| \[(3)\])?", answer)
        assert found, f"connection {self.number} answers '{answer}', and '{due}' was due"
        self.version = 2 if found[1] else 3 if found[2] else 1


class Load(threading.Thread):
    """All clients on one thread, until stopped; what went wrong is raised by finish()."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.clients = [Client(address, number) for number in range(CONNECTIONS)]
        self.wrong = None
        self.ending = False

    def run(self):
        try:
            with selectors.DefaultSelector() as selector:
                for client in self.clients:
                    selector.register(client.socket, selectors.EVENT_READ, client)
                    for _ in range(DEPTH):
                        client.ask()
                    client.send()
                while any(each.answered < each.asked for each in self.clients):
                    ready = selector.select(LIMIT)
                    assert ready, "no answer to anybody"
                    for key, _ in ready:
                        client = key.data
                        client.read()
                        while not self.ending and client.asked < client.answered + DEPTH:
                            client.ask()
                        client.send()
        except BaseException as wrong:  # noqa: B036 (told by finish)
            self.wrong = wrong

    def versions(self):
        return {client.version for client in self.clients}

    def finish(self):
        self.ending = True
        self.join(LIMIT)
        if self.wrong:
            raise self.wrong
        assert not self.is_alive(), "not all requests were answered"
        for client in self.clients:
            assert client.answered == client.asked and not client.received
            client.socket.close()
        return sum(client.answered for client in self.clients)


class CodeChange(Case):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(self.folder, "counter.so")
        self.put(1)

    def put(self, version):
        shutil.copy(os.path.join(modules, f"counter_{version}.so"), self.path + ".new")
        os.rename(self.path + ".new", self.path)

    def serve(self, *words):
        return Program("serve", self.path, "--listen", "127.0.0.1:0", *words)

    def until(self, what, *conditions):
        deadline = time.monotonic() + LIMIT
        while not all(condition() for condition in conditions):
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)  # another program's state: nothing tells when it changes

    def until_line(self, server, text):
        self.until(f"no line with '{text}'\n{server.log()}", lambda: text in server.log())

    def mapped(self, server, version):
        with open(f"/proc/{server.process.pid}/maps", encoding="utf-8") as maps:
            return f"hawser-module-counter.so-v{version}" in maps.read()

    def start_load(self, server):
        load = Load(server.address("packet"))
        load.start()
        self.until("no load", lambda: load.wrong or all(c.answered > DEPTH for c in load.clients))
        return load

    def assert_all_on(self, load, version):
        """Everybody has an answer that was asked for after this call, of that version."""
        marks = [client.asked for client in load.clients]
        self.until(f"not all on version {version}: {load.versions()}", lambda: load.wrong or all(
            client.answered > mark for client, mark in zip(load.clients, marks)))
        if not load.wrong:
            self.assertEqual(load.versions(), {version})

    def test_upgrade_under_load(self):
        for engine in ("uring", "epoll"):
            with self.subTest(engine=engine):
                os.environ["HAWSER_ENGINE"] = engine
                self.addCleanup(os.environ.pop, "HAWSER_ENGINE", None)
                self.put(1)
                with self.serve("--schedulers", "2") as server:
                    load = self.start_load(server)
                    self.assertEqual(load.versions(), {1})
                    self.put(2)  # it looks at the file by itself
                    self.until_line(server, f"version 2: {CONNECTIONS} connections moved")
                    self.assert_all_on(load, 2)
                    self.until_line(server, "version 1 unloaded")
                    self.assertFalse(self.mapped(server, 1))
                    self.assertTrue(self.mapped(server, 2))
                    self.assertGreater(load.finish(), CONNECTIONS * DEPTH * 2)
                    self.assertNotIn("warning", server.log())

    def ask(self, sock, payload):
        sock.sendall(struct.pack(">H", len(payload)) + payload)
        (length,) = struct.unpack(">H", sock.recv(2, socket.MSG_WAITALL))
        return sock.recv(length, socket.MSG_WAITALL)

    def test_sighup_and_a_failed_migration_under_load(self):
        with self.serve("--schedulers", "2", "--look-interval", "0s") as server:
            load = self.start_load(server)
            self.put(2)
            server.process.send_signal(signal.SIGHUP)
            self.until_line(server, f"version 2: {CONNECTIONS} connections moved")
            self.assert_all_on(load, 2)
            odd, even, late = [self.enterContext(socket.create_connection(
                server.address("packet"), timeout=LIMIT)) for _ in range(3)]
            self.assertEqual(self.ask(odd, b"x"), b"1 x (1 bytes)")
            self.ask(even, b"x")
            self.assertEqual(self.ask(even, b"x"), b"2 x (2 bytes)")
            self.put(3)
            server.process.send_signal(signal.SIGHUP)
            self.until_line(server, "version 3: ")
            moved, kept, told = map(int, re.search(
                r"version 3: (\d+) connections moved, (\d+) kept their version: "
                r"code_change: an odd count \((\d+)\)", server.log()).groups())
            self.assertEqual((moved + kept, told), (CONNECTIONS + 3, kept))
            self.assertEqual(self.ask(odd, b"x"), b"2 x (2 bytes)")
            self.assertEqual(self.ask(even, b"x"), b"3 x [3]")
            self.assertEqual(self.ask(late, b"x"), b"1 x [3]")
            load.finish()
            self.assertLessEqual(load.versions(), {2, 3})
            self.assertTrue(self.mapped(server, 2))

    def test_what_cannot_be_loaded_changes_nothing(self):
        with self.serve("--look-interval", "0s") as server:
            load = self.start_load(server)
            for text, why in (("no shared object", "no ELF file"), (None, "ENOENT")):
                if text is None:
                    os.remove(self.path)
                else:
                    with open(self.path + ".new", "w", encoding="utf-8") as file:
                        file.write(text)
                    os.rename(self.path + ".new", self.path)
                server.process.send_signal(signal.SIGHUP)
                self.until_line(server, why)
                time.sleep(0.2)  # signals close together are one
            self.assertIn("PacketCounter, version 1 stays", server.log())
            self.assert_all_on(load, 1)
            load.finish()

    def test_mistakes_on_the_command_line(self):
        import subprocess
        for words, status, says in ((["./nothing.so"], 1, "./nothing.so"),
                                    (["./nothing.so", "--length-bytes", "3"], 2, "'3'"),
                                    (["--listen", "127.0.0.1:0", "ping"], 2, "--listen"),
                                    ([os.path.realpath("/bin/sh")], 1, "HAWSER_EXPORT_HANDLER")):
            done = subprocess.run([program.hawser, "serve", *words], capture_output=True, text=True,
                                  timeout=LIMIT, check=False)
            self.assertEqual((done.returncode, done.stdout), (status, ""), done)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    modules = sys.argv.pop(1)
    program.main()
