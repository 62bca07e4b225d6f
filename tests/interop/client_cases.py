"""What our client must do with any broker: the cases that test_rabbitmq and test_activemq share. Both
engines and all versions take part in each."""

import itertools
import subprocess

import program
from certificates import Certificates
from foreign_brokers import PASSCODE, USER
from program import LIMIT, Case
from stomp_peer import OCTETS, StompPeer, pattern

ENGINES = ("uring", "epoll")
VERSIONS = ("1.0", "1.1", "1.2")
MIB = 1 << 20


class ClientCases:
    """Mixed into a Case; `kind` is the ForeignBroker."""

    nack_is_cumulative = True
    escapes_in_1_1 = "a:b\\c\nd"

    @classmethod
    def setUpClass(cls):
        cls.certificates = cls.enterClassContext(Certificates())
        cls.broker = cls.enterClassContext(cls.kind(cls.certificates))
        cls.numbers = itertools.count()

    def peer(self, engine="uring", version="1.2", port=None, **words):
        words = {"login": USER, "passcode": PASSCODE, "dialect": self.kind.name, **words}
        address = ("127.0.0.1", port or self.broker.port)
        return self.enterContext(StompPeer(address, engine, version=version, **words))

    def each(self, versions=VERSIONS):
        """Every version, on the engines in turn."""
        for number, version in enumerate(versions):
            engine = ENGINES[number % 2]
            print(version, engine, flush=True)
            yield version, engine

    def name(self, kind="queue"):
        """One that no other case has."""
        return f"/{kind}/{self.id().rsplit('.', 1)[1]}.{next(self.numbers)}"

    def address(self, port=None):
        return f"{USER}:{PASSCODE}@127.0.0.1:{port or self.broker.port}"

    def vhost(self):
        return ("--vhost", "/")

    def hawser(self, *words, expect=0, **options):
        done = subprocess.run([program.hawser, "stomp", *words, *self.vhost()], capture_output=True,
                              timeout=LIMIT, **{"stdin": subprocess.DEVNULL, **options})
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    # ---- what arrives ------------------------------------------------------------------------------

    def test_versions_and_octets(self):
        for version, engine in self.each():
            peer = self.peer(engine, version).ready()
            self.assertEqual(peer.connected["version"], version)
            self.assertIn(self.kind.name, peer.connected["server"])
            for kind in ("queue", "topic"):
                name = self.name(kind)
                peer.subscribe(name)
                peer.send(name, OCTETS * 3)
                peer.send(name, "grüße", headers={"content-type": "text/plain", "colour": "red"})
                peer.send(name, b"\0")
                self.assertEqual(peer.message().body, OCTETS * 3)
                text = peer.message()
                self.assertEqual(text.body, "grüße".encode())
                self.assertEqual((text.headers["colour"], text.headers["destination"]), ("red", name))
                self.assertEqual(text.headers["content-type"], "text/plain")
                self.assertEqual(peer.message().body, b"\0")
            self.assertEqual(peer.close(), [])

    def test_the_highest_version_is_agreed(self):
        peer = self.peer(version="").ready()
        self.assertEqual(peer.connected["version"], "1.2")
        self.assertEqual(peer.close(), [])

    def test_header_escapes(self):
        odd = {"1.1": {"odd": self.escapes_in_1_1, "o:d\\d": " blank ", "grüße": "ä"},
               "1.2": {"odd": "a:b\\c\nd\r", "o:d\\d\n": " blank ", "grüße": "ä", "\\n": "\\c"}}
        for version, engine in self.each(("1.1", "1.2")):
            peer = self.peer(engine, version).ready()
            name = self.name()
            peer.subscribe(name)
            peer.send(name, b"x", headers=odd[version])
            headers = peer.message().headers
            self.assertEqual({key: headers.get(key) for key in odd[version]}, odd[version])
            self.assertEqual(peer.close(), [])

    def test_order_and_receipts(self):
        """Both kinds apart: at ActiveMQ transient messages overtake persistent ones of their queue."""
        for version, engine in self.each():
            peer = self.peer(engine, version).ready()
            for headers in ({}, {"persistent": "true"}):
                name = self.name()
                peer.subscribe(name)
                orders = [peer.order("send", destination=name, body=str(i), confirm="receipt", headers=headers)
                          for i in range(200)]
                for number in orders:
                    self.assertNotIn("error", peer.answer(number))
                self.assertEqual(peer.bodies(200), [b"%d" % i for i in range(200)])
            self.assertEqual(peer.close(), [])

    def test_large_bodies(self):
        """50 MiB: taken whole by one engine, in pieces by the other, both from the same sender."""
        name = self.name("topic")
        whole, pieces = self.peer("uring").ready(), self.peer("epoll", stream="1").ready()
        for peer in (whole, pieces):
            peer.subscribe(name)
        whole.send(name, octets=50 * MIB)
        message = whole.message()
        self.assertTrue(message.is_pattern(50 * MIB), message.size)
        message = pieces.message()
        self.assertTrue(message.is_pattern(50 * MIB), message.size)
        self.assertGreater(message.parts, 10)
        for peer in (whole, pieces):
            self.assertEqual(peer.close(), [])

    # ---- settling ----------------------------------------------------------------------------------

    def fill(self, name, count, **headers):
        peer = self.peer().ready()
        for i in range(1, count + 1):
            peer.send(name, str(i), headers=headers)
        peer.close()

    def left(self, name, count, version="1.2"):
        """What the queue still has, each of which has been given out before."""
        peer = self.peer(version=version).ready()
        peer.subscribe(name)
        got = peer.messages(count)
        for message in got:
            self.assertEqual(message.headers.get("redelivered"), "true", message)
        self.assertEqual(peer.close(), [])
        return [int(message.body) for message in got]

    def test_ack_client_is_cumulative(self):
        for version, engine in self.each():
            name = self.name()
            self.fill(name, 5)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name, "client")
            peer.ack(peer.messages(5)[2])
            peer.kill()
            self.assertEqual(self.left(name, 2), [4, 5])

    def test_ack_client_individual_is_not(self):
        for version, engine in self.each(("1.1", "1.2")):
            name = self.name()
            self.fill(name, 5)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name, "client-individual")
            peer.ack(peer.messages(5)[2])
            peer.kill()
            self.assertEqual(self.left(name, 4), [1, 2, 4, 5])

    def test_ack_auto_leaves_nothing(self):
        for version, engine in self.each():
            name = self.name()
            self.fill(name, 3)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name)
            self.assertEqual(peer.bodies(3), [b"1", b"2", b"3"])
            self.assertEqual(peer.close(), [])
            self.fill(name, 1)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name)
            self.assertEqual(peer.bodies(1), [b"1"])
            self.assertEqual(peer.close(), [])

    def test_prefetch(self):
        for version, engine in self.each():
            name = self.name()
            self.fill(name, 6)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name, "client", prefetch=2)
            first, second = peer.messages(2)
            peer.send(self.name(), b"a round trip")
            self.assertEqual(len(peer.stashed["message"]), 0)
            self.assertEqual(peer.ask("status")["unsettled"], 2)
            peer.ack(second)
            self.assertEqual(peer.bodies(2), [b"3", b"4"])
            peer.send(self.name(), b"a round trip")
            self.assertEqual(len(peer.stashed["message"]), 0)
            self.assertEqual(peer.ack(first), 2)  # settled before
            peer.kill()

    # ---- transactions ------------------------------------------------------------------------------

    def test_transactions(self):
        for version, engine in self.each():
            name, other = self.name(), self.name()
            peer, reader = self.peer(engine, version).ready(), self.peer(engine, version).ready()
            for each in (name, other):
                reader.subscribe(each)
            for outcome in ("abort", "commit"):
                transaction = peer.ask("begin")
                for i in range(3):
                    for each in (name, other):
                        peer.order("send", destination=each, body=f"{outcome} {i}", transaction=transaction)
                peer.send(name, b"outside")
                self.assertEqual(reader.message().body, b"outside")
                self.assertEqual(len(reader.stashed["message"]), 0)
                peer.ask(outcome, transaction=transaction)
            self.assertEqual(sorted(reader.bodies(6)), sorted([b"commit 0", b"commit 1", b"commit 2"] * 2))
            self.assertEqual(reader.close(), [])
            self.assertEqual(peer.close(), [])

    def test_acks_in_transactions(self):
        for version, engine in self.each():
            name = self.name()
            self.fill(name, 2)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name, "client")
            first, second = peer.messages(2)
            transaction = peer.ask("begin")
            self.assertEqual(peer.ack(first, transaction=transaction), 0)
            peer.ask("abort", transaction=transaction)
            transaction = peer.ask("begin")
            self.assertEqual(peer.ack(first, transaction=transaction), 0)  # unsettled again
            peer.ask("commit", transaction=transaction)
            transaction = peer.ask("begin")
            self.assertEqual(peer.ack(second, transaction=transaction), 0)
            peer.kill()  # which aborts
            self.assertEqual(self.left(name, 1), [2])

    # ---- around ------------------------------------------------------------------------------------

    def test_heart_beats(self):
        """One a second both ways: two and a half intervals without an octet and either side gives up."""
        peers = [self.peer(engine, version, beat=1000).ready()
                 for engine in ENGINES for version in ("1.1", "1.2")]
        reader = self.peer(beat=1000).ready()
        reader.subscribe(self.name())
        for peer in peers:
            # The clock of the broker is the measure: its silence would end the session.
            while peer.ask("status")["beats"] < 8:
                try:
                    peer.process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            self.assertEqual(peer.ask("status")["logins"], 1)
        for peer in (*peers, reader):
            peer.send(self.name(), b"alive")
            self.assertEqual(peer.close(), [])

    def test_durable_subscription(self):
        for version, engine in self.each():
            topic = self.name("topic")
            # ActiveMQ takes the subscription's name for the client's when one is removed in 1.0.
            words = {"client_id": f"trains-{version}" if version == "1.0" else f"client-{version}"}
            wish = {"ack": "client", "durable": f"trains-{version}", "id": f"trains-{version}"}
            peer = self.peer(engine, version, **words).ready()
            peer.subscribe(topic, **wish)
            peer.send(topic, b"1", headers={"persistent": "true"})
            peer.ack(peer.message())
            self.assertEqual(peer.close(), [])
            other = self.peer().ready()
            other.send(topic, b"2", headers={"persistent": "true"})
            other.send(topic, b"3", headers={"persistent": "true"})
            peer = self.peer(engine, version, **words).ready()
            live = peer.subscribe(topic, **wish)
            got = peer.messages(2)
            self.assertEqual([message.body for message in got], [b"2", b"3"])
            peer.ack(got[1])
            peer.ask("unsubscribe", subscription=live, forget=True)
            other.send(topic, b"4", headers={"persistent": "true"})
            peer.subscribe(topic, **wish)
            other.send(topic, b"5", headers={"persistent": "true"})
            self.assertEqual(peer.bodies(1), [b"5"])  # nothing had collected the fourth
            self.assertEqual(peer.close(), [])
            self.assertEqual(other.close(), [])

    def test_tls(self):
        for engine in ENGINES:
            peer = self.peer(engine, port=self.broker.tls_port, ca=self.certificates.ca).ready()
            name = self.name()
            peer.subscribe(name)
            peer.send(name, octets=3 * MIB)
            self.assertTrue(peer.message().is_pattern(3 * MIB))
            self.assertEqual(peer.close(), [])
        url = "stomp+tls://" + self.address(self.broker.tls_port)
        self.hawser("send", url, self.name(), "x", "--receipt", "--tls-ca", self.certificates.ca)
        refused = self.hawser("send", url, self.name(), "x", expect=1)
        self.assertIn(b"certificate", refused.stderr)

    def test_a_wrong_passcode_is_an_error_with_a_name(self):
        for version, engine in self.each():
            peer = self.peer(engine, version, passcode="guess")
            error = peer.event("error")
            ended = peer.event("ended")
            self.assertRegex(ended["reason"], "refused|denied|invalid|login", error)
            self.assertNotIn("guess", str(ended) + str(error))
        url = f"stomp://{USER}:guess@127.0.0.1:{self.broker.port}"
        done = self.hawser("send", url, self.name(), "x", expect=1)
        self.assertIn(b"ERROR", done.stderr)
        self.assertNotIn(b"guess", done.stderr)

    def test_the_command_line(self):
        url = "stomp://" + self.address()
        name = self.name()
        body = pattern(100_000)
        self.hawser("send", url, name, "--receipt", "--header", "colour:red", "--header", "persistent:true",
                    stdin=None, input=body)
        self.hawser("send", url, name, "second", "--receipt", "--header", "persistent:true")
        raw = self.hawser("subscribe", url, name, "--ack", "client", "--count", "1", "--raw")
        self.assertEqual(raw.stdout, body + b"\n")
        shown = self.hawser("subscribe", url, name, "--count", "1").stdout.decode()
        self.assertIn("second", shown)

    # ---- a broker that dies ------------------------------------------------------------------------

    def test_zz_a_broker_killed_under_load_loses_nothing(self):
        """A producer and a consumer on each engine; what has a receipt comes to the consumer, and both
        find their way back. Last of all: the broker has no other clients then."""
        count = 3000
        pairs = []
        for engine in ENGINES:
            name = self.name()
            consumer = self.peer(engine, settle="").ready()
            consumer.subscribe(name, "client-individual", prefetch=100)
            consumer.subscribe(name.replace("queue", "topic"))
            producer = self.peer(engine).ready()
            order = producer.order("load", destination=name, count=count, headers={"persistent": "true"})
            pairs.append((producer, order, consumer, name))
        for producer, *_ in pairs:
            while producer.event("progress")["count"] < count // 3:
                pass
        self.broker.kill()
        self.broker.start()
        for producer, order, consumer, name in pairs:
            self.assertEqual(producer.answer(order)["failed"], 0, producer.stashed["refused"])
            self.assertEqual(producer.ask("status")["logins"], 2)
            self.assertGreater(len(producer.stashed["lost"]), 0)
            keys, first, seen = {}, [], 0
            while len(keys) < count:
                message = consumer.message()
                seen += 1
                if message.body in keys:  # given out again, or sent again: it is the same message
                    self.assertEqual(message.headers["message-key"], keys[message.body])
                    continue
                keys[message.body] = message.headers["message-key"]
                first.append(int(message.body))
            self.assertEqual(sorted(first), list(range(1, count + 1)))
            self.assertEqual(len(set(keys.values())), count)
            print(f"{self.kind.name}: {seen - count} of {count} came twice", flush=True)
            # The other subscription, of which no message was on its way, has been made again too.
            producer.send(name.replace("queue", "topic"), b"the topic")
            while consumer.message().body != b"the topic":
                pass
            self.assertEqual(producer.close(), [])
            consumer.close()
