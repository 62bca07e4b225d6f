#!/usr/bin/env python3
"""Our STOMP client, the program and the library, at RabbitMQ."""

import program
from client_cases import ENGINES, MIB, ClientCases
from foreign_brokers import RabbitMq
from program import Case


class AtRabbitMq(ClientCases, Case):
    kind = RabbitMq

    def test_nack_gives_back_all_before(self):
        """A-05: cumulative, and at once to the same session, as redelivered."""
        for version, engine in self.each(("1.1", "1.2")):
            name = self.name()
            self.fill(name, 4)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name, "client")
            got = peer.messages(4)
            peer.nack(got[2])
            again = peer.messages(3)
            self.assertEqual([message.body for message in again], [b"1", b"2", b"3"])
            self.assertEqual({message.headers["redelivered"] for message in again}, {"true"})
            peer.kill()

    def test_nack_individual(self):
        for version, engine in self.each(("1.1", "1.2")):
            name = self.name()
            self.fill(name, 2)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name, "client-individual")
            first, second = peer.messages(2)
            peer.nack(first)
            self.assertEqual(peer.message().body, b"1")
            peer.ack(second)
            peer.kill()

    def test_A_03_an_ack_stays_within_its_subscription(self):
        """RabbitMQ's own `client` mode does not: one of the other subscription would be lost."""
        for version, engine in self.each(("1.1", "1.2")):
            name, other = self.name(), self.name()
            for each in (name, other):
                self.fill(each, 3)
            peer = self.peer(engine, version).ready()
            peer.subscribe(name, "client")
            peer.messages(3)
            peer.subscribe(other, "client")
            peer.ack(peer.messages(3)[1])
            peer.kill()
            self.assertEqual(self.left(name, 3), [1, 2, 3])
            self.assertEqual(self.left(other, 1), [3])

    def test_websocket(self):
        for version, engine in self.each():
            peer = self.peer(engine, version, port=self.broker.websocket_port, websocket="/ws").ready()
            self.assertEqual(peer.connected["version"], version)
            name = self.name()
            peer.subscribe(name, "client")
            peer.send(name, octets=3 * MIB)
            message = peer.message()
            self.assertTrue(message.is_pattern(3 * MIB), message.size)
            peer.ack(message)
            self.assertEqual(peer.close(), [])
        url = f"ws://{self.address(self.broker.websocket_port)}/ws"
        name = self.name()
        self.hawser("send", url, name, "by WebSocket", "--receipt")
        self.assertIn(b"by WebSocket", self.hawser("subscribe", url, name, "--count", "1").stdout)

    def test_websocket_over_tls(self):
        place = {"port": self.broker.websocket_tls_port, "websocket": "/ws"}
        for version, engine in self.each():
            peer = self.peer(engine, version, ca=self.certificates.ca, **place).ready()
            self.assertEqual(peer.connected["version"], version)
            name = self.name()
            peer.subscribe(name, "client")
            peer.send(name, octets=3 * MIB)
            message = peer.message()
            self.assertTrue(message.is_pattern(3 * MIB), message.size)
            peer.ack(message)
            self.assertEqual(peer.close(), [])
        url = f"wss://{self.address(self.broker.websocket_tls_port)}/ws"
        name = self.name()
        trusted = ("--tls-ca", self.certificates.ca)
        self.hawser("send", url, name, "by both", "--receipt", *trusted)
        self.assertIn(b"by both", self.hawser("subscribe", url, name, "--count", "1", *trusted).stdout)
        refused = self.hawser("send", url, name, "x", expect=1)
        self.assertIn(b"certificate", refused.stderr)

    def test_an_unknown_virtual_host_is_an_error_with_a_name(self):
        url = "stomp://" + self.address()
        self.vhost = lambda: ("--vhost", "elsewhere")
        self.assertIn(b"ERROR", self.hawser("send", url, self.name(), "x", expect=1).stderr)

    def test_answers_to_a_temporary_queue(self):
        for engine in ENGINES:
            server, client = self.peer(engine).ready(), self.peer(engine).ready()
            name = self.name()
            server.subscribe(name)
            client.send(name, b"question", headers={"reply-to": "/temp-queue/answers", "correlation-id": "7"})
            question = server.message()
            server.send(question.headers["reply-to"], b"answer", headers={"correlation-id": "7"})
            answer = client.message()
            self.assertEqual((answer.body, answer.headers["correlation-id"]), (b"answer", "7"))
            self.assertEqual(server.close() + client.close(), [])


if __name__ == "__main__":
    program.main(RabbitMq.absent())
