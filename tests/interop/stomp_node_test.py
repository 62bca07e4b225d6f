#!/usr/bin/env python3
"""Node's STOMP clients with `hawser hub`: stompjs over WebSocket and TCP, stompit over TCP."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import program
from program import LIMIT, Case, Program, free_port
from stomp_peer import OCTETS, StompPeer

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALL = os.path.join(HERE, "../../scripts/npm_packages.sh")
NODE = shutil.which("node")
VERSIONS = ("1.0", "1.1", "1.2")
CLIENTS = (("stompjs", "stomp-websocket"), ("stompjs", "stomp"), ("stompit", "stomp"))
MIB = 1 << 20
# A whole one with one engine: heart-beats are the broker's own, whatever waits beneath it.
MINUTE = 15.0 if os.environ.get("HAWSER_ENGINE") == "epoll" else 60.0


def absent():
    if not NODE:
        return "nodejs is not installed"
    found = subprocess.run([NODE, "-e", "require('ws')"], capture_output=True,
                           env={**os.environ, "NODE_PATH": "/usr/share/nodejs:/usr/lib/nodejs"})
    return None if found.returncode == 0 else "node-ws is not installed"


def install():
    """Into the build tree, beside the program; where that cannot be, every test here fails and says so."""
    folder = os.path.join(os.path.dirname(program.hawser), "npm")
    done = subprocess.run([INSTALL, folder], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return os.path.join(folder, "node_modules")


def start(packages, hub, client=("stompit", "stomp"), version="1.2", **words):
    name, listener = client
    if listener == "stomp-websocket":
        words["websocket"] = "/stomp"
    return StompPeer(hub.address(listener), command=[NODE, os.path.join(HERE, "stomp_peer.js")],
                     environment={"NODE_PATH": f"{packages}:/usr/share/nodejs:/usr/lib/nodejs"},
                     client=name, version=version, **words)


class NodePeers(Case):
    @classmethod
    def setUpClass(cls):
        cls.packages = install()

    def peer(self, hub, *which, **words):
        return self.enterContext(start(self.packages, hub, *which, **words))


class Clients(NodePeers):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hub = cls.enterClassContext(Program(
            "hub", "--stomp", "127.0.0.1:0", "--stomp-websocket", "127.0.0.1:0", "--packet", "none",
            "--stomp-body-limit", "64MiB"))

    def each(self, versions=VERSIONS, clients=CLIENTS):
        for version in versions:
            for client in clients:
                print(version, *client, flush=True)
                yield version, client

    def name(self, version, client, kind="queue"):
        return f"/{kind}/{self.id().rsplit('.', 1)[1]}.{version}.{'.'.join(client)}"

    def test_versions_and_octets(self):
        for version, client in self.each():
            peer = self.peer(self.hub, client, version).ready()
            self.assertEqual(peer.connected["version"], version)
            for kind in ("queue", "topic"):
                name = self.name(version, client, kind)
                live = peer.subscribe(name)
                peer.send(name, OCTETS * 3)
                peer.send(name, "grüße", headers={"content-type": "text/plain", "colour": "red"})
                peer.send(name, b"\0")
                self.assertEqual(peer.message().body, OCTETS * 3)
                text = peer.message()
                self.assertEqual(text.body, "grüße".encode())
                self.assertEqual((text.headers["colour"], text.headers["destination"]), ("red", name))
                self.assertEqual(peer.message().body, b"\0")
                peer.ask("unsubscribe", subscription=live)
            self.assertEqual(peer.close(), [])

    def test_header_escapes(self):
        """stompjs escapes in 1.2 only, and no names, takes blanks away, and unescapes a backslash before
        a letter wrongly; stompit does it all."""
        odd = {"1.1": {"odd": "a:b\\c\nd", "o:d\\d": " blank ", "grüße": "ä"},
               "1.2": {"odd": "a:b\\c\nd\r", "o:d\\d": " blank ", "grüße": "ä", "two": "\\n\\c"}}
        for version, client in self.each(("1.1", "1.2")):
            if client[0] == "stompjs" and version == "1.1":
                continue
            peer = self.peer(self.hub, client, version).ready()
            name = self.name(version, client)
            peer.subscribe(name)
            wanted = {"odd": "a:b\\d\nd\r:", "grüße": "ä"} if client[0] == "stompjs" else odd[version]
            peer.send(name, b"x", headers=wanted)
            headers = peer.message().headers
            self.assertEqual({key: headers.get(key) for key in wanted}, wanted)
            self.assertEqual(peer.close(), [])

    def test_settling(self):
        for version, client in self.each():
            for mode in ("auto", "client", "client-individual"):
                if mode == "client-individual" and version == "1.0":
                    continue
                name = self.name(version, client) + mode
                peer = self.peer(self.hub, client, version).ready()
                peer.subscribe(name, mode)
                for i in range(1, 6):
                    peer.send(name, str(i))
                got = peer.messages(5)
                self.assertEqual([message.body for message in got], [b"1", b"2", b"3", b"4", b"5"])
                if mode != "auto":
                    peer.ack(got[2])
                peer.kill()
                left = {"auto": [], "client": [b"4", b"5"], "client-individual": [b"1", b"2", b"4", b"5"]}[mode]
                other = self.peer(self.hub, client, version).ready()
                other.subscribe(name)
                other.send(name, b"6")
                again = other.messages(len(left) + 1)
                self.assertEqual([message.body for message in again], left + [b"6"])
                for message in again[:-1]:
                    self.assertEqual(message.headers["redelivered"], "true")
                self.assertEqual(other.close(), [])

    def test_nack_gives_back(self):
        for version, client in self.each(("1.1", "1.2")):
            name = self.name(version, client)
            peer = self.peer(self.hub, client, version).ready()
            peer.subscribe(name, "client")
            for i in range(1, 5):
                peer.send(name, str(i))
            peer.nack(peer.messages(4)[2])
            again = peer.messages(3)
            self.assertEqual([message.body for message in again], [b"1", b"2", b"3"])
            self.assertEqual({message.headers["delivery-count"] for message in again}, {"2"})
            peer.kill()

    def test_prefetch(self):
        for version, client in self.each(("1.2",)):
            name = self.name(version, client)
            peer = self.peer(self.hub, client, version).ready()
            for i in range(1, 5):
                peer.send(name, str(i))
            peer.subscribe(name, "client", prefetch=2)
            second = peer.messages(2)[1]
            peer.send("/topic/nobody", b"a round trip")
            self.assertEqual(len(peer.stashed["message"]), 0)
            peer.ack(second)
            self.assertEqual(peer.bodies(2), [b"3", b"4"])
            peer.kill()

    def test_transactions(self):
        for version, client in self.each():
            name = self.name(version, client)
            peer, reader = (self.peer(self.hub, client, version).ready() for _ in range(2))
            reader.subscribe(name)
            for outcome in ("abort", "commit"):
                transaction = peer.ask("begin")
                for i in range(3):
                    peer.send(name, f"{outcome} {i}", transaction=transaction)
                peer.send(name, b"outside")
                self.assertEqual(reader.message().body, b"outside")
                peer.ask(outcome, transaction=transaction)
            self.assertEqual(reader.bodies(3), [b"commit 0", b"commit 1", b"commit 2"])
            if version == "1.2":  # an ACK in one that is aborted did not happen
                settler = self.peer(self.hub, client, version).ready()
                settler.subscribe(name + "acks", "client")
                settler.send(name + "acks", b"x")
                message = settler.message()
                transaction = settler.ask("begin")
                settler.ack(message, transaction=transaction)
                settler.ask("abort", transaction=transaction)
                settler.ack(message)
                self.assertEqual(settler.close(), [])
            for each in (peer, reader):
                self.assertEqual(each.close(), [])

    def test_large_bodies(self):
        for _, client in self.each(("1.2",)):
            peer = self.peer(self.hub, client).ready()
            peer.subscribe("/topic/large")
            peer.send("/topic/large", octets=50 * MIB)
            message = peer.message()
            self.assertTrue(message.is_pattern(50 * MIB), message.size)
            self.assertEqual(peer.close(), [])

    def test_an_error_names_the_fault(self):
        for version, client in self.each():
            peer = self.peer(self.hub, client, version).ready()
            peer.order("send", destination="nowhere", body="x")
            if client[0] == "stompjs":  # stompit tells as often of the end that follows instead
                error = dict(peer.event("error")["headers"])
                self.assertIn("destination", error["message"])
            peer.event("lost")
            peer.kill()


class KilledHub(NodePeers):
    def test_what_has_a_receipt_is_never_lost(self):
        """The hub is killed and started again, twice, under the load of a producer and a consumer of each
        kind; each way back is the client's own."""
        count = 2000
        folder = self.enterContext(tempfile.TemporaryDirectory())
        words = ("--stomp", f"127.0.0.1:{free_port()}", "--stomp-websocket", f"127.0.0.1:{free_port()}",
                 "--packet", "none", "--data", folder)
        pairs = []
        with Program("hub", *words, expect_status=-signal.SIGKILL) as hub:
            for client in CLIENTS:
                name = "/queue/" + ".".join(client)
                consumer = self.peer(hub, client, settle="").ready()
                consumer.subscribe(name, "client-individual", prefetch=100)
                producer = self.peer(hub, client).ready()
                order = producer.order("load", destination=name, count=count, headers={"persistent": "true"})
                pairs.append((producer, order, consumer))
            self.progress(pairs, count // 4)
            self.kill(hub)
        with Program("hub", *words, expect_status=-signal.SIGKILL) as hub:
            self.progress(pairs, count // 2)
            self.kill(hub)
        with Program("hub", *words) as hub:
            for producer, order, consumer in pairs:
                producer.answer(order)
                for _ in range(2):
                    producer.event("ready")
                self.assertEqual(producer.ask("status")["logins"], 3)
                seen, total = set(), 0
                while len(seen) < count:
                    message = consumer.message()
                    self.assertEqual(message.headers["message-key"], message.body.decode())
                    seen.add(int(message.body))
                    total += 1
                self.assertEqual(seen, set(range(1, count + 1)))
                print(f"{total - count} of {count} came twice", flush=True)
            for producer, _, consumer in pairs:
                self.assertEqual(producer.close(), [])
                consumer.close()

    @staticmethod
    def progress(pairs, count):
        for producer, *_ in pairs:
            while producer.event("progress")["count"] < count:
                pass

    @staticmethod
    def kill(hub):
        hub.process.kill()
        hub.process.wait(LIMIT)


class WholeMinute(Case):
    """Heart-beats at one second for a minute, beside the tests before: three silent seconds would be the
    end, for the hub and for each client. The last by its name."""

    def test_heart_beats_keep_quiet_connections(self):
        for peer in minute.peers:
            self.assertEqual(peer.connected["heart-beat"], "1000,1000")
        try:
            minute.peers[0].process.wait(max(0, minute.end - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        for peer in minute.peers:
            self.assertEqual(peer.ask("status")["logins"], 1)
            self.assertEqual(peer.close(), [])


class Minute:
    def __enter__(self):
        with contextlib.ExitStack() as made:
            hub = made.enter_context(Program(
                "hub", "--stomp", "127.0.0.1:0", "--stomp-websocket", "127.0.0.1:0", "--packet", "none",
                "--stomp-heart-beat", "1s"))
            packages = install()
            self.peers = [made.enter_context(start(packages, hub, client, version, beat=1000))
                          for version in ("1.1", "1.2") for client in CLIENTS]
            for peer in self.peers:
                peer.ready()
            self.end = time.monotonic() + MINUTE
            self.stack = made.pop_all()
        return self

    def __exit__(self, *why):
        return self.stack.__exit__(*why)


def setUpModule():
    global minute
    minute = unittest.enterModuleContext(Minute())


if __name__ == "__main__":
    program.main(absent())
