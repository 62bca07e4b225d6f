#!/usr/bin/env python3
"""Our STOMP client, the program and the library, at ActiveMQ."""

import zlib

import program
from client_cases import ENGINES, ClientCases
from foreign_brokers import ActiveMq
from program import Case


class AtActiveMq(ClientCases, Case):
    kind = ActiveMq

    def test_nack_is_of_one_and_dead_letters_it(self):
        """A-05, A-06: not cumulative whatever the mode, and no second try."""
        for version, engine in self.each(("1.1", "1.2")):
            for mode in ("client", "client-individual"):
                name = self.name()
                self.fill(name, 4, persistent="true")
                dead = self.peer(engine).ready()
                dead.subscribe("/queue/ActiveMQ.DLQ")
                peer = self.peer(engine, version).ready()
                peer.subscribe(name, mode)
                got = peer.messages(4)
                peer.nack(got[2])
                message = dead.message()
                self.assertEqual((message.body, message.headers["original-destination"]), (b"3", name))
                peer.kill()
                self.assertEqual(self.left(name, 3), [1, 2, 4])
                self.assertEqual(dead.close(), [])

    def test_the_other_connector(self):
        for version, engine in self.each():
            peer = self.peer(engine, version, port=self.broker.nio_port).ready()
            name = self.name()
            peer.subscribe(name)
            peer.send(name, octets=1 << 20)
            self.assertTrue(peer.message().is_pattern(1 << 20))
            self.assertEqual(peer.close(), [])

    def test_text_messages_have_no_content_length(self):
        """D-12: what has one is a bytes message to the JMS clients there."""
        for engine in ENGINES:
            peer = self.peer(engine, content_length="0").ready()
            name = self.name()
            peer.subscribe(name)
            peer.send(name, "text, grüße")
            message = peer.message()
            self.assertNotIn("content-length", message.headers)
            self.assertEqual(message.crc, zlib.crc32("text, grüße".encode()))
            self.assertIn("NUL", peer.refused("send", destination=name, body=b"a\0b"))
            self.assertEqual(peer.close(), [])

    def test_a_selector(self):
        for version, engine in self.each():
            peer = self.peer(engine, version).ready()
            name = self.name()
            peer.subscribe(name, selector="colour = 'red'")
            for colour in ("blue", "red"):
                peer.send(name, colour, headers={"colour": colour})
            self.assertEqual(peer.bodies(1), [b"red"])
            self.assertEqual(peer.close(), [])

    def test_a_durable_name_in_use_is_waited_for(self):
        """F-04: whoever has it will give it back; the second client tries again until then."""
        topic = self.name("topic")
        words = {"client_id": "one-and-only"}
        first = self.peer("uring", **words).ready()
        first.subscribe(topic, "client", durable="only", id="only")
        second = self.peer("epoll", **words)
        second.event("error")
        self.assertEqual(first.close(), [])
        second.event("ready")
        second.subscribe(topic, "client", durable="only", id="only")
        second.send(topic, b"mine", headers={"persistent": "true"})
        self.assertEqual(second.bodies(1), [b"mine"])
        second.kill()


if __name__ == "__main__":
    program.main(ActiveMq.absent())
