#!/usr/bin/env python3
"""stomp.py, as STOMP 1.0, 1.1 and 1.2, with `hawser hub`."""

import multiprocessing
import os
import queue
import signal
import tempfile
import time
import unittest

import program
from program import LIMIT, Case, Program, free_port

try:
    import stomp
except ImportError:
    stomp = None

# A whole one with one engine: heart-beats are the broker's own, whatever waits beneath it.
MINUTE = 15.0 if os.environ.get("HAWSER_ENGINE") == "epoll" else 60.0
ALL_OCTETS = bytes(range(256)) * 4


class Listener(stomp.ConnectionListener if stomp else object):
    """Every event as a tuple in one queue, so that tests wait for events and not for clocks."""

    def __init__(self):
        self.events = queue.Queue()
        self.tap = self.events.put

    def on_connected(self, frame):
        self.tap(("connected", dict(frame.headers), frame.body))

    def on_message(self, frame):
        self.tap(("message", dict(frame.headers), frame.body))

    def on_receipt(self, frame):
        self.tap(("receipt", dict(frame.headers), frame.body))

    def on_error(self, frame):
        self.tap(("error", dict(frame.headers), frame.body))

    def on_heartbeat(self):
        self.tap(("heartbeat", {}, b""))

    def on_heartbeat_timeout(self):
        self.tap(("heartbeat_timeout", {}, b""))

    def on_disconnected(self):
        self.tap(("disconnected", {}, b""))


class Client:
    def __init__(self, hub, version, beats=(0, 0)):
        kinds = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}
        more = {} if version == "1.0" else {"heartbeats": beats}
        self.version = version
        self.connection = kinds[version]([hub.address("stomp")], auto_decode=False,
                                         reconnect_attempts_max=1, **more)
        self.listener = Listener()
        self.connection.set_listener("test", self.listener)
        self.connection.connect(wait=True)
        self.connected = self.expect("connected")

    def next(self, *ignored):
        while True:
            event = self.listener.events.get(timeout=LIMIT)
            if event[0] not in ignored:
                return event

    def expect(self, kind, **headers):
        """The next event, which must be of that kind (heart-beats aside)."""
        event = self.next(*(() if kind == "heartbeat" else ("heartbeat",)))
        assert event[0] == kind, f"{kind} awaited, but {event} came"
        for name, value in headers.items():
            assert event[1].get(name.replace("_", "-")) == value, f"{name}={value} awaited: {event}"
        return event

    def subscribe(self, destination, id="1", **more):
        self.connection.subscribe(destination, id=id, receipt="subscribed-" + id, **more)
        self.expect("receipt", receipt_id="subscribed-" + id)

    def send(self, destination, body, receipt=None, **more):
        if receipt:
            more["receipt"] = receipt
        self.connection.send(destination, body, **more)
        if receipt:
            self.expect("receipt", receipt_id=receipt)

    def message(self):
        return self.expect("message")

    def goodbye(self):
        self.connection.disconnect(receipt="goodbye")
        # In either order: stomp.py tells of the end before it tells of the receipt that led to it.
        seen = [self.next("heartbeat"), self.next("heartbeat")]
        assert {event[0] for event in seen} == {"receipt", "disconnected"}, seen
        receipt = next(event for event in seen if event[0] == "receipt")
        assert receipt[1]["receipt-id"] == "goodbye", receipt


class StompPy(Case):
    versions = ("1.0", "1.1", "1.2")

    @classmethod
    def setUpClass(cls):
        cls.hub = cls.enterClassContext(Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none"))

    def each_version(self):
        for version in self.versions:
            with self.subTest(version=version):
                yield version

    def test_connects_with_the_version_it_asks_for(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            self.assertEqual(client.connected[1]["version"], version)
            self.assertIn("hawser", client.connected[1]["server"])
            client.goodbye()

    def test_topic_text(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            client.subscribe("/topic/text")
            client.send("/topic/text", "grüße", content_type="text/plain", headers={"colour": "red"})
            _, headers, body = client.message()
            self.assertEqual(body, "grüße".encode())
            self.assertEqual(headers["destination"], "/topic/text")
            self.assertEqual(headers["subscription"], "1")
            self.assertEqual(headers["content-type"], "text/plain")
            self.assertEqual(headers["colour"], "red")
            self.assertIn("message-id", headers)
            client.goodbye()

    def test_header_octets_survive_escaping(self):
        for version in ("1.1", "1.2"):
            with self.subTest(version=version):
                client = Client(self.hub, version)
                client.subscribe("/topic/escapes")
                client.send("/topic/escapes", "x", headers={"odd": "a:b\\c\nd", "blank": " e "})
                _, headers, _ = client.message()
                self.assertEqual(headers["odd"], "a:b\\c\nd")
                self.assertEqual(headers["blank"], " e ")
                client.goodbye()

    def test_binary_bodies_are_exact(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            for destination in ("/topic/binary", "/queue/binary"):
                client.subscribe(destination, id=destination[1:6])
                client.send(destination, ALL_OCTETS)
                _, headers, body = client.message()
                self.assertEqual(body, ALL_OCTETS)
                self.assertEqual(headers["content-length"], str(len(ALL_OCTETS)))
            client.send("/topic/binary", b"\0")
            self.assertEqual(client.message()[2], b"\0")
            client.goodbye()

    def test_a_large_body(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            client.subscribe("/topic/large")
            body = ALL_OCTETS * 1024  # 1 MiB
            client.send("/topic/large", body)
            self.assertEqual(client.message()[2], body)
            client.goodbye()

    def test_receipts_of_sends(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            for number in range(100):
                client.connection.send("/topic/nobody", "x", receipt=f"r{number}")
            names = {client.expect("receipt")[1]["receipt-id"] for _ in range(100)}
            self.assertEqual(names, {f"r{number}" for number in range(100)})
            client.goodbye()

    def test_order_of_one_sender(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            for destination in ("/topic/order", "/queue/order"):
                client.subscribe(destination, id=destination)
                for number in range(500):
                    client.send(destination, str(number))
                got = [int(client.message()[2]) for _ in range(500)]
                self.assertEqual(got, list(range(500)))
            client.goodbye()

    def test_unsubscribe_ends_the_messages(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            client.subscribe("/topic/left")
            client.connection.unsubscribe(id="1", receipt="out")
            client.expect("receipt", receipt_id="out")
            client.send("/topic/left", "nobody", receipt="sent")
            client.subscribe("/topic/left", id="2")
            client.send("/topic/left", "again")
            _, headers, body = client.message()
            self.assertEqual((headers["subscription"], body), ("2", b"again"))
            client.goodbye()

    def test_a_topic_reaches_everybody(self):
        clients = [Client(self.hub, version) for version in self.versions for _ in range(2)]
        for client in clients:
            client.subscribe("/topic/all")
        for number, client in enumerate(clients):
            client.send("/topic/all", str(number))
        for client in clients:
            self.assertEqual({client.message()[2] for _ in clients}, {b"%d" % n for n in range(6)})
            client.goodbye()

    def test_two_consumers_of_a_queue_share(self):
        for version in self.each_version():
            first, second = Client(self.hub, version), Client(self.hub, version)
            first.subscribe("/queue/shared" + version)
            second.subscribe("/queue/shared" + version)
            bodies = queue.Queue()
            for client in (first, second):
                client.listener.tap = lambda event, client=client: bodies.put((client, event))
            for number in range(200):
                second.connection.send("/queue/shared" + version, str(number))
            counts, got = {first: 0, second: 0}, set()
            while len(got) < 200:
                client, (kind, _, body) = bodies.get(timeout=LIMIT)
                self.assertEqual(kind, "message")
                self.assertNotIn(body, got, "delivered twice")
                got.add(body)
                counts[client] += 1
            self.assertGreater(min(counts.values()), 0, counts)
            for client in (first, second):
                client.listener.tap = client.listener.events.put
                client.goodbye()

    def test_a_queue_keeps_what_nobody_awaits_yet(self):
        for version in self.each_version():
            sender = Client(self.hub, version)
            for number in range(10):
                sender.send("/queue/kept" + version, str(number), receipt=f"kept-{number}")
            sender.goodbye()
            reader = Client(self.hub, version)
            reader.subscribe("/queue/kept" + version)
            self.assertEqual([int(reader.message()[2]) for _ in range(10)], list(range(10)))
            reader.goodbye()

    def test_a_topic_keeps_nothing(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            client.send("/topic/unkept", "early", receipt="early")
            client.subscribe("/topic/unkept")
            client.send("/topic/unkept", "late")
            self.assertEqual(client.message()[2], b"late")
            client.goodbye()

    def test_goodbye_follows_everything_sent(self):
        for version in self.each_version():
            reader = Client(self.hub, version)
            reader.subscribe("/topic/last")
            sender = Client(self.hub, version)
            for number in range(100):
                sender.send("/topic/last", str(number))
            sender.goodbye()
            self.assertEqual([int(reader.message()[2]) for _ in range(100)], list(range(100)))
            reader.goodbye()

    def fill(self, client, destination, count):
        for number in range(1, count + 1):
            client.send(destination, str(number), receipt=f"filled-{number}")

    def settle(self, client, frame, good=True, **more):
        """As the version names a message; waits for the receipt."""
        headers = frame[1]
        words = {"1.0": (headers["message-id"],), "1.1": (headers["message-id"], headers["subscription"]),
                 "1.2": (headers.get("ack"),)}[client.version]
        (client.connection.ack if good else client.connection.nack)(*words, receipt="settled", **more)
        if "transaction" not in more:
            client.expect("receipt", receipt_id="settled")

    def test_ack_modes(self):
        """Of five the third is acknowledged, then the client is gone without a word: what comes again?"""
        for version in self.each_version():
            for mode, left in (("auto", []), ("client", [b"4", b"5"]),
                               ("client-individual", [b"1", b"2", b"4", b"5"])):
                if mode == "client-individual" and version == "1.0":
                    continue
                name = f"/queue/modes.{version}.{mode}"
                client = Client(self.hub, version)
                self.fill(client, name, 5)
                client.subscribe(name, ack=mode)
                got = [client.message() for _ in range(5)]
                if mode != "auto":
                    self.settle(client, got[2])
                client.connection.transport.disconnect_socket()
                other = Client(self.hub, version)
                other.subscribe(name)
                again = [other.message() for _ in left]
                self.assertEqual([body for _, _, body in again], left)
                self.assertEqual({headers["redelivered"] for _, headers, _ in again}, {"true"} if left else set())
                other.send(name, "last")
                self.assertEqual(other.message()[2], b"last")
                other.goodbye()

    def test_nack_gives_back_all_before(self):
        for version in ("1.1", "1.2"):
            client = Client(self.hub, version)
            name = "/queue/nack" + version
            self.fill(client, name, 4)
            client.subscribe(name, ack="client")
            self.settle_in_passing(client, [client.message() for _ in range(4)][2])
            self.assertEqual([client.message()[2] for _ in range(3)], [b"1", b"2", b"3"])
            client.goodbye()

    def settle_in_passing(self, client, frame):
        headers = frame[1]
        words = (headers["ack"],) if client.version == "1.2" else (headers["message-id"], headers["subscription"])
        client.connection.nack(*words)

    def test_transactions(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            name = "/queue/transactions" + version
            client.subscribe(name, ack="client")
            for outcome in ("abort", "commit"):
                transaction = client.connection.begin()
                for number in range(3):
                    client.send(name, f"{outcome} {number}", transaction=transaction)
                client.send(name, "outside", receipt=None)
                self.assertEqual(client.message()[2], b"outside")
                getattr(client.connection, outcome)(transaction)
            got = [client.message() for _ in range(3)]
            self.assertEqual([body for _, _, body in got], [b"commit 0", b"commit 1", b"commit 2"])
            transaction = client.connection.begin()
            self.settle(client, got[2], transaction=transaction)
            client.connection.abort(transaction)
            self.settle(client, got[2])  # unsettled again
            client.goodbye()

    def test_an_error_names_the_fault(self):
        for version in self.each_version():
            client = Client(self.hub, version)
            client.connection.send("nowhere", "x", receipt="lost")
            _, headers, body = client.expect("error", receipt_id="lost")
            self.assertIn("destination", headers["message"])
            self.assertIn(b"nowhere", body)
            client.expect("disconnected")


class LargeBodies(Case):
    def test_50_MiB(self):
        """Without NUL: at each one stomp.py copies all it has, which takes it minutes here."""
        body = bytes(range(1, 256)) * ((50 << 20) // 255)
        with Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none", "--stomp-body-limit", "64MiB") as hub:
            client = Client(hub, "1.2")
            client.subscribe("/topic/large")
            client.send("/topic/large", body)
            self.assertTrue(client.message()[2] == body)  # not assertEqual: it would show them
            client.goodbye()


class KilledHub(Case):
    """stomp.py says that the connection is gone; connecting again and sending again is its user's."""

    count = 3000
    batch = 100

    def test_what_has_a_receipt_is_never_lost(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        words = ("--stomp", f"127.0.0.1:{free_port()}", "--packet", "none", "--data", folder)
        confirmed, seen = 0, set()
        for stop in (self.count // 3, 2 * self.count // 3, self.count):
            last = stop == self.count
            with Program("hub", *words, expect_status=0 if last else -signal.SIGKILL) as hub:
                sender, reader = Client(hub, "1.1"), Client(hub, "1.2")
                reader.subscribe("/queue/kept", ack="client-individual")
                while confirmed < stop:
                    for number in range(confirmed, confirmed + self.batch):
                        sender.send("/queue/kept", str(number), persistent="true", headers={"receipt": str(number)})
                    for _ in range(self.batch):
                        sender.expect("receipt")
                    confirmed += self.batch
                    # The reader is behind: what it has not settled comes again.
                    for _ in range(self.batch // 2):
                        self.take(reader, seen)
                if last:
                    while len(seen) < self.count:
                        self.take(reader, seen)
                    break
                for number in range(confirmed, confirmed + self.batch):  # under way: nobody knows
                    sender.connection.send("/queue/kept", str(number), persistent="true")
                hub.process.kill()
                hub.process.wait(LIMIT)
                sender.expect("disconnected")
        self.assertEqual(seen, set(range(self.count)))

    @staticmethod
    def take(reader, seen):
        _, headers, body = reader.message()
        seen.add(int(body))
        reader.connection.ack(headers["ack"])


class WholeMinute(Case):
    """Heart-beats at one second for a minute, beside the tests before. The last by its name."""

    def test_heart_beats_keep_quiet_connections(self):
        self.assertTrue(minute.told.poll(MINUTE + LIMIT), "the minute does not end")
        faults, beats = minute.told.recv()
        print(f"heart-beats heard: {beats}", flush=True)
        self.assertEqual(faults, [])
        for count in beats.values():
            # The hub beats each half second, and at least each second.
            self.assertGreaterEqual(count, MINUTE)


class Minute:
    """In a process of its own, so that nothing the other tests do holds up a thread that beats."""

    def __enter__(self):
        fork = multiprocessing.get_context("fork")
        self.told, tell = fork.Pipe(duplex=False)
        self.hub = Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none", "--stomp-heart-beat", "1s")
        self.hub.__enter__()
        self.process = fork.Process(target=self.idle, args=(tell,))
        self.process.start()
        return self

    def __exit__(self, *_):
        if self.told.poll(0) or self.process.exitcode is not None:
            self.process.join(LIMIT)
        self.process.kill()  # other tests alone were asked for
        self.process.join()
        self.hub.__exit__(None, None, None)

    def idle(self, tell):
        faults, beats = [], {}
        try:
            clients = [Client(self.hub, version, beats=(1000, 1000)) for version in ("1.1", "1.2")]
            end = time.monotonic() + MINUTE
            for client in clients:
                assert client.connected[1]["heart-beat"] == "1000,1000", client.connected
                beats[client.version] = 0
            for client in clients:
                while True:
                    try:
                        event = client.listener.events.get(timeout=max(0, end - time.monotonic()))
                    except queue.Empty:
                        break
                    if event[0] == "heartbeat":
                        beats[client.version] += 1
                    else:
                        faults.append(f"{client.version}: {event}")
            for client in clients:
                client.send("/topic/alive", "x", receipt="alive")
                client.goodbye()
        except BaseException as error:
            faults.append(repr(error))
        tell.send((faults, beats))


def setUpModule():
    global minute
    minute = unittest.enterModuleContext(Minute())


if __name__ == "__main__":
    program.main(None if stomp else "python3-stomp is not installed")
