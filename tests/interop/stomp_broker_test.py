#!/usr/bin/env python3
"""`hawser hub` as a broker over plain sockets: settlement, redelivery, transactions, durable
subscriptions, answers, what outlives a kill, users and rules, TLS and WebSocket."""

import os
import signal
import ssl
import subprocess
import tempfile

import program
from program import LIMIT, Case, Program
from raw_stomp import RawStomp
from raw_websocket import WebSocket


class Broker(Case):
    @classmethod
    def setUpClass(cls):
        cls.hub = cls.enterClassContext(Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none",
                                                "--queue-deliveries", "3"))

    def peer(self, version="1.2", **headers):
        peer = self.enterContext(RawStomp(self.hub.address("stomp")))
        peer.login(version, **headers)
        return peer

    def name(self, kind="queue"):
        return f"/{kind}/" + self.id().rsplit(".", 1)[1]

    # ---- settlement ----------------------------------------------------------------------------

    def fill(self, peer, destination, count):
        for i in range(1, count + 1):
            peer.ask("SEND", str(i).encode(), destination=destination)

    def test_A_02_client_acknowledges_all_before_and_the_rest_comes_again(self):
        for version, key in (("1.0", "message-id"), ("1.1", "message-id"), ("1.2", "ack")):
            with self.subTest(version=version):
                queue = self.name() + version
                self.fill(self.peer(), queue, 5)
                first = self.peer(version)
                first.ask("SUBSCRIBE", id="s", destination=queue, ack="client")
                got = [first.expect("MESSAGE") for _ in range(5)]
                more = {"id": got[2].headers["ack"]} if version == "1.2" else {
                    "message-id": got[2].headers["message-id"], "subscription": "s"}
                first.ask("ACK", **more)
                first.socket.close()
                second = self.peer(version)
                second.ask("SUBSCRIBE", id="s", destination=queue)
                for body in (b"4", b"5"):
                    frame = second.expect("MESSAGE", redelivered="true", delivery_count="2")
                    self.assertEqual(frame.body, body)
                self.assertIn(key, got[0].headers)

    def test_A_06_NACK_gives_back_and_in_the_end_to_the_dead_letters(self):
        queue = self.name()
        peer = self.peer()
        self.fill(peer, queue, 1)
        peer.ask("SUBSCRIBE", id="s", destination=queue, ack="client-individual")
        for count in (1, 2, 3):
            frame = peer.expect("MESSAGE")
            self.assertEqual(frame.headers.get("delivery-count", "1"), str(count))
            peer.send("NACK", id=frame.headers["ack"])
        dead = self.peer()
        dead.send("SUBSCRIBE", id="d", destination="/dlq/" + queue.rsplit("/", 1)[1])
        self.assertEqual(dead.expect("MESSAGE").body, b"1")

    def test_A_07_NACK_without_requeue_dead_letters_at_once(self):
        queue = self.name()
        peer = self.peer()
        self.fill(peer, queue, 1)
        peer.ask("SUBSCRIBE", id="s", destination=queue, ack="client")
        peer.ask("NACK", id=peer.expect("MESSAGE").headers["ack"], requeue="false")
        peer.send("SUBSCRIBE", id="d", destination="/dlq/" + queue.rsplit("/", 1)[1])
        peer.expect("MESSAGE", subscription="d")

    def test_A_13_UNSUBSCRIBE_gives_back(self):
        queue = self.name()
        peer = self.peer()
        self.fill(peer, queue, 2)
        peer.ask("SUBSCRIBE", id="s", destination=queue, ack="client")
        peer.expect("MESSAGE")
        peer.expect("MESSAGE")
        peer.ask("UNSUBSCRIBE", id="s")
        other = self.peer()
        other.send("SUBSCRIBE", id="t", destination=queue)
        for body in (b"1", b"2"):
            self.assertEqual(other.expect("MESSAGE", redelivered="true").body, body)

    def test_prefetch_bounds_what_is_unsettled(self):
        queue = self.name()
        peer = self.peer()
        self.fill(peer, queue, 5)
        peer.ask("SUBSCRIBE", id="s", destination=queue, ack="client", prefetch_count=2)
        peer.expect("MESSAGE")
        second = peer.expect("MESSAGE")
        peer.ask("BEGIN", transaction="t")  # its RECEIPT comes next: no third message
        peer.send("ACK", id=second.headers["ack"])
        self.assertEqual(peer.expect("MESSAGE").body, b"3")
        self.assertEqual(peer.expect("MESSAGE").body, b"4")

    # ---- transactions --------------------------------------------------------------------------

    def test_T_01_a_transaction_is_atomic_over_destinations(self):
        reader = self.peer()
        names = [self.name() + str(i) for i in range(8)] + [self.name("topic")]
        for i, name in enumerate(names):
            reader.ask("SUBSCRIBE", id=i, destination=name)
        writer = self.peer()
        writer.ask("BEGIN", transaction="t")
        for name in names:
            writer.send("SEND", b"x", destination=name, transaction="t")
        writer.ask("BEGIN", transaction="u")
        writer.send("SEND", b"never", destination=names[0], transaction="u")
        writer.ask("ABORT", transaction="u")
        writer.ask("COMMIT", transaction="t")
        seen = sorted(int(reader.expect("MESSAGE").headers["subscription"]) for _ in names)
        self.assertEqual(seen, list(range(len(names))))
        reader.ask("SEND", b"last", destination="/topic/nobody")

    def test_T_04_an_ACK_in_an_aborted_transaction_did_not_happen(self):
        queue = self.name()
        peer = self.peer()
        self.fill(peer, queue, 1)
        peer.ask("SUBSCRIBE", id="s", destination=queue, ack="client")
        ack = peer.expect("MESSAGE").headers["ack"]
        peer.ask("BEGIN", transaction="t")
        peer.send("ACK", id=ack, transaction="t")
        peer.ask("ABORT", transaction="t")
        peer.ask("ACK", id=ack)
        peer.ask("UNSUBSCRIBE", id="s")
        other = self.peer()
        other.ask("SUBSCRIBE", id="t", destination=queue)
        self.fill(peer, queue, 1)
        self.assertNotIn("redelivered", other.expect("MESSAGE").headers)

    def test_a_composite_destination(self):
        peer = self.peer()
        peer.ask("SUBSCRIBE", id="1", destination=self.name())
        peer.ask("SUBSCRIBE", id="2", destination=self.name("topic"))
        peer.send("SEND", b"x", destination=self.name() + "," + self.name("topic"))
        frames = {peer.expect("MESSAGE").headers["destination"] for _ in range(2)}
        self.assertEqual(frames, {self.name(), self.name("topic")})

    # ---- subscriptions -------------------------------------------------------------------------

    def test_wildcards_and_selectors(self):
        peer = self.peer()
        peer.ask("SUBSCRIBE", id="one", destination="/topic/w.*.c")
        peer.ask("SUBSCRIBE", id="rest", destination="/topic/w.>", selector="n > 1")
        peer.ask("SUBSCRIBE", id="rabbit", destination="/topic/w.#", selector="n = 1")
        peer.send("SEND", b"x", destination="/topic/w.b.c", n=1)
        self.assertEqual({peer.expect("MESSAGE").headers["subscription"] for _ in range(2)},
                         {"one", "rabbit"})
        peer.send("SEND", b"x", destination="/topic/w.b", n=2)
        peer.expect("MESSAGE", subscription="rest")

    def test_a_durable_subscription_collects_while_nobody_is_there(self):
        for headers in ({"activemq.subscriptionName": "feed"}, {"durable": "true", "auto-delete": "false"}):
            with self.subTest(headers=headers):
                topic = self.name("topic") + str(len(headers))
                first = self.peer(client_id="c1")
                first.ask("SUBSCRIBE", id="d", destination=topic, ack="client", **headers)
                first.ask("DISCONNECT")
                self.peer().ask("SEND", b"missed", destination=topic)
                second = self.peer(client_id="c1")
                second.ask("SUBSCRIBE", id="d", destination=topic, ack="client", **headers)
                second.ask("ACK", id=second.expect("MESSAGE").headers["ack"])
                second.ask("UNSUBSCRIBE", id="d", **headers)

    def test_two_clients_on_one_durable_name(self):
        topic = self.name("topic")
        first, second = self.peer(client_id="c1"), self.peer(client_id="c1")
        name = {"activemq.subscriptionName": "feed"}
        first.ask("SUBSCRIBE", id="1", destination=topic, **name)
        second.send("SUBSCRIBE", id="1", destination=topic, receipt="r", **name)
        second.expect("ERROR", receipt_id="r")
        first.ask("DISCONNECT")
        third = self.peer(client_id="c1")
        third.ask("SUBSCRIBE", id="1", destination=topic, **name)

    def test_a_browser_reads_and_takes_nothing(self):
        queue = self.name()
        peer = self.peer()
        self.fill(peer, queue, 3)
        peer.send("SUBSCRIBE", id="b", destination=queue, browser="true")
        for body in (b"1", b"2", b"3"):
            self.assertEqual(peer.expect("MESSAGE").body, body)
        peer.expect("MESSAGE", browser="end", subscription="b")
        peer.send("SUBSCRIBE", id="s", destination=queue)
        self.assertEqual(peer.expect("MESSAGE", subscription="s").body, b"1")

    def test_D_06_a_request_is_answered(self):
        server, client = self.peer(), self.peer()
        server.ask("SUBSCRIBE", id="s", destination=self.name())
        client.send("SEND", b"question", destination=self.name(), reply_to="/temp-queue/answers",
                    correlation_id="7")
        question = server.expect("MESSAGE")
        self.assertTrue(question.headers["reply-to"].startswith("/reply-queue/"))
        server.send("SEND", b"answer", destination=question.headers["reply-to"],
                    correlation_id=question.headers["correlation-id"])
        answer = client.expect("MESSAGE", subscription="/temp-queue/answers", correlation_id="7")
        self.assertEqual(answer.body, b"answer")
        thief = self.peer()
        thief.send("SUBSCRIBE", id="t", destination=question.headers["reply-to"])
        thief.expect("ERROR")

    def test_expired_priority_and_delay(self):
        queue = self.name()
        peer = self.peer()
        peer.ask("SEND", b"gone", destination=queue, ttl=1)
        peer.ask("SEND", b"later", destination=queue, delay=300)
        peer.ask("SEND", b"low", destination=queue, priority=1)
        peer.ask("SEND", b"high", destination=queue, priority=9)
        peer.ask("SEND", b"sync", destination="/queue/other", delay=50)
        peer.ask("SUBSCRIBE", id="o", destination="/queue/other")
        peer.expect("MESSAGE", subscription="o")  # by now the first has expired
        peer.send("SUBSCRIBE", id="s", destination=queue)
        self.assertEqual([peer.expect("MESSAGE").body for _ in range(3)], [b"high", b"low", b"later"])

    def test_retained(self):
        topic = self.name("topic")
        peer = self.peer()
        peer.ask("SEND", b"state", destination=topic, retain="set")
        peer.send("SUBSCRIBE", id="s", destination=topic)
        self.assertEqual(peer.expect("MESSAGE").body, b"state")


class Persistence(Case):
    def test_what_has_a_receipt_outlives_a_kill(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        where = ("--stomp", "127.0.0.1:0", "--packet", "none", "--data", folder)
        with Program("hub", *where, expect_status=-signal.SIGKILL) as hub:
            peer = self.enterContext(RawStomp(hub.address("stomp")))
            peer.login()
            peer.ask("SEND", b"kept\0\xff", destination="/queue/a", persistent="true", x="1")
            peer.ask("SEND", b"settled", destination="/queue/b", persistent="true")
            peer.ask("SEND", b"transient", destination="/queue/a")
            peer.ask("SUBSCRIBE", id="b", destination="/queue/b", ack="client")
            peer.ask("ACK", id=peer.expect("MESSAGE").headers["ack"])
            peer.ask("SUBSCRIBE", id="d", destination="/topic/t", durable="true", selector="n = 1")
            peer.ask("UNSUBSCRIBE", id="d")
            peer.ask("SEND", b"no", destination="/topic/t", persistent="true", n="0")
            peer.ask("SEND", b"yes", destination="/topic/t", persistent="true", n="1")
            hub.process.kill()
            hub.process.wait(LIMIT)
        with Program("hub", *where) as hub:
            peer = self.enterContext(RawStomp(hub.address("stomp")))
            peer.login()
            peer.send("SUBSCRIBE", id="a", destination="/queue/a")
            frame = peer.expect("MESSAGE", x="1", persistent="true")
            self.assertEqual(frame.body, b"kept\0\xff")
            peer.ask("SUBSCRIBE", id="b", destination="/queue/b")  # nothing comes before the RECEIPT
            peer.send("SUBSCRIBE", id="d", destination="/topic/t", durable="true", selector="n = 1")
            self.assertEqual(peer.expect("MESSAGE", subscription="d").body, b"yes")

    def test_a_folder_has_one_hub(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none", "--data", folder):
            second = subprocess.run([program.hawser, "hub", "--stomp", "127.0.0.1:0", "--packet",
                                     "none", "--data", folder], capture_output=True, timeout=LIMIT)
            self.assertEqual(second.returncode, 1)
            said = [line for line in second.stderr.splitlines() if b" info " not in line]
            self.assertEqual(len(said), 1, second.stderr)
            self.assertIn(b"in use by process", said[0])


class Access(Case):
    def hash(self, password):
        return subprocess.run([program.hawser, "hub", "--hash-password"], input=password + "\n",
                              capture_output=True, text=True, timeout=LIMIT, check=True).stdout.strip()

    def test_users_rules_and_their_reload(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "hub.toml")
        alice = f'[users.alice]\npassword-hash = "{self.hash("secret")}"\n'

        def write(rules):
            with open(path, "w", encoding="utf-8") as file:
                file.write('stomp = "127.0.0.1:0"\npacket = "none"\n' + rules)

        write(alice + 'read = ["/topic/>"]\nwrite = ["/queue/jobs"]\n')
        with Program("hub", "--config", path) as hub:
            def connect(**headers):
                peer = self.enterContext(RawStomp(hub.address("stomp")))
                peer.send("CONNECT", accept_version="1.2", host="h", **headers)
                return peer

            for headers in ({}, {"login": "alice"}, {"login": "alice", "passcode": "Secret"},
                            {"login": "bob", "passcode": "secret"}):
                frame = connect(**headers).expect("ERROR", message="login refused")
                self.assertNotIn("ecret", frame.body.decode())
            peers = [connect(login="alice", passcode="secret") for _ in range(5)]
            for peer in peers:
                peer.expect("CONNECTED")
            peers[0].ask("SEND", b"x", destination="/queue/jobs")
            peers[0].ask("SUBSCRIBE", id="1", destination="/topic/z.>")
            peers[1].send("SUBSCRIBE", id="1", destination="/queue/jobs", receipt="r")
            peers[1].expect("ERROR", message="access refused", receipt_id="r")
            peers[2].send("SEND", b"x", destination="/topic/a")
            peers[2].expect("ERROR", message="access refused")

            write(alice + 'write = [">"]\n[anonymous]\nread = ["/topic/public"]\n')
            hub.process.send_signal(signal.SIGHUP)
            while "were read again" not in hub.log():  # one at a time: descriptors are few
                with connect(login="alice", passcode="secret") as peer:
                    peer.expect("CONNECTED")
            peers[3].ask("SEND", b"x", destination="/topic/a")
            peers[0].send("SUBSCRIBE", id="2", destination="/topic/b")
            peers[0].expect("ERROR", message="access refused")
            nobody = connect()
            nobody.expect("CONNECTED")
            nobody.ask("SUBSCRIBE", id="1", destination="/topic/public")

            write("[users.x]\n")
            hub.process.send_signal(signal.SIGHUP)
            while "stays as it was" not in hub.log():
                with connect() as peer:
                    peer.expect("CONNECTED")
            peers[3].ask("SEND", b"x", destination="/topic/a")
            self.assertNotIn("secret", hub.log())


class Transports(Case):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.certificate = os.path.join(folder, "certificate.pem")
        key = os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                        cls.certificate], check=True, capture_output=True)
        cls.hub = cls.enterClassContext(
            Program("hub", "--stomp", "none", "--packet", "none", "--stomp-tls", "127.0.0.1:0",
                    "--stomp-websocket", "127.0.0.1:0", "--stomp-websocket-tls", "127.0.0.1:0",
                    "--tls-certificate", cls.certificate, "--tls-key", key,
                    "--stomp-body-limit", "64KiB"))
        cls.text = cls.enterClassContext(
            Program("hub", "--stomp", "none", "--packet", "none", "--stomp-websocket", "127.0.0.1:0",
                    "--stomp-websocket-messages", "text", "--stomp-websocket-path", "/ws",
                    "--stomp-websocket-origins", "https://a.example", "--stomp-lenient",
                    "sub-protocols"))

    def tls(self, plain):
        context = ssl.create_default_context(cafile=self.certificate)
        return context.wrap_socket(plain, server_hostname="localhost")

    def web(self, **options):
        return WebSocket(self.hub.address("stomp-websocket"), **options)

    def exchange(self, peer):
        peer.ask("SUBSCRIBE", id="1", destination="/topic/x")
        body = bytes(range(256)) * 100
        peer.send("SEND", body, destination="/topic/x")
        self.assertEqual(peer.expect("MESSAGE").body, body)
        peer.ask("DISCONNECT")

    def test_TLS(self):
        import socket
        with RawStomp(None, self.tls(socket.create_connection(self.hub.address("stomp-tls")))) as peer:
            peer.login()
            self.exchange(peer)
            self.assertTrue(peer.ended())

    def test_WebSocket_in_every_version(self):
        for version, protocol in (("1.0", "v10.stomp"), ("1.1", "v11.stomp"), ("1.2", "v12.stomp")):
            with self.subTest(version=version):
                channel = self.web(protocols=("other", protocol))
                self.assertEqual((channel.status, channel.protocol), (101, protocol))
                with RawStomp(None, channel) as peer:
                    peer.write(b"CONNECT\naccept-version:1.0,1.1,1.2\nhost:h\n\n\0")
                    peer.expect("CONNECTED", version=version)
                    self.exchange(peer)
                    self.assertIsNone(peer.frame())
                    self.assertEqual(channel.close_code, 1000, "a goodbye (W-08)")
                    self.assertEqual(set(channel.kinds), {"binary"})

    def test_WebSocket_over_TLS(self):
        channel = WebSocket(self.hub.address("stomp-websocket-tls"), wrap=self.tls)
        with RawStomp(None, channel) as peer:
            peer.login()
            self.exchange(peer)

    def test_W_01_the_highest_sub_protocol_and_none_at_all(self):
        self.assertEqual(self.web(protocols=("v10.stomp", "v12.stomp")).protocol, "v12.stomp")
        self.assertEqual(self.web(protocols=()).status, 400)
        self.assertEqual(self.web(protocols=("chat",)).status, 400)
        self.assertEqual(self.web(path="/other").status, 404)

    def test_W_01_the_version_must_agree(self):
        channel = self.web(protocols=("v11.stomp",))
        with RawStomp(None, channel) as peer:
            peer.send("CONNECT", accept_version="1.2", host="h")
            peer.expect("ERROR", version="1.1", message="no common version")

    def test_W_02_frames_and_messages_are_cut_independently(self):
        channel = self.web()
        with RawStomp(None, channel) as peer:
            frames = (b"CONNECT\naccept-version:1.2\nhost:h\n\n\0"
                      b"SUBSCRIBE\nid:1\ndestination:/topic/cut\nreceipt:1\n\n\0")
            for octet in frames:
                channel.sendall(bytes([octet]), text=True)
            peer.expect("CONNECTED")
            peer.expect("RECEIPT")
            channel.send_frame(2, b"SEND\ndestination:/topic/cut\n\na\0SEND\ndesti", final=False)
            channel.send_frame(9, b"ping")
            channel.send_frame(0, b"nation:/topic/cut\n\nb\0\n\n")
            self.assertEqual([peer.expect("MESSAGE").body for _ in range(2)], [b"a", b"b"])

    def test_W_04_heart_beats_are_messages(self):
        channel = self.web()
        with RawStomp(None, channel) as peer:
            peer.login(beats="0,50")
            # The broker offers 10 s, so this is the longest wait of the suite: half of it.
            self.assertTrue(peer.beat())

    def test_W_08_too_long_is_1009(self):
        channel = self.web()
        with RawStomp(None, channel) as peer:
            peer.login()
            peer.send("SEND", b"x" * 70_000, destination="/topic/x")
            peer.expect("ERROR", message="malformed frame\\c body_too_long")
            self.assertIsNone(peer.frame())
            self.assertEqual(channel.close_code, 1009)

    def test_W_03_text_where_it_is_UTF_8_and_binary_where_it_is_not(self):
        origin = ("Origin: https://a.example",)
        channel = WebSocket(self.text.address("stomp-websocket"), path="/ws", headers=origin,
                            protocols=())
        with RawStomp(None, channel) as peer:
            peer.login()
            peer.ask("SUBSCRIBE", id="1", destination="/topic/x")
            self.assertEqual(set(channel.kinds), {"text"})
            peer.send("SEND", "Grüße".encode(), destination="/topic/x")
            self.assertEqual(peer.expect("MESSAGE").body.decode(), "Grüße")
            self.assertEqual(set(channel.kinds), {"text"})
            peer.send("SEND", b"\xff\xfe", destination="/topic/x")
            self.assertEqual(peer.expect("MESSAGE").body, b"\xff\xfe")
            self.assertIn("binary", channel.kinds)

    def test_W_07_origins(self):
        for origin, status in ((("Origin: https://a.example",), 101),
                               (("Origin: https://b.example",), 403), ((), 403)):
            channel = WebSocket(self.text.address("stomp-websocket"), path="/ws", headers=origin)
            self.assertEqual(channel.status, status, origin)
            channel.close()


if __name__ == "__main__":
    program.main()
