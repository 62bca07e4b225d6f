#!/usr/bin/env python3
"""Packets that break their framing, peers that stall and bursts of connects, over plain sockets, to
`hawser serve echo`: each ends as documented, and the others are served on."""

import resource
import select
import socket
import struct

import program
from program import LIMIT, Case, Program


def packet(body, form=">H"):
    return struct.pack(form, len(body)) + body


class Peer:
    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def write(self, octets):
        self.socket.sendall(octets)

    def read(self, size):
        octets = b""
        while len(octets) < size:
            more = self.socket.recv(size - len(octets))
            assert more, f"the stream ended after {octets!r}, {size} octets were awaited"
            octets += more
        return octets

    def echoes(self, body=b"still here"):
        self.write(packet(body))
        return self.read(len(body) + 2) == packet(body)

    def ended(self):
        """The stream ends, in order or by a reset, and nothing comes before."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class BadInput(Case):
    arguments = ("--length-bytes", "2", "--packet-timeout", "400ms", "--idle-timeout", "never",
                 "--packet-limit", "1000B")

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Program("serve", "echo", "--listen", "127.0.0.1:0",
                                                   *cls.arguments))

    def setUp(self):
        # A well-behaved neighbour, from before to after.
        self.neighbour = self.peer()
        self.assertTrue(self.neighbour.echoes())
        self.addCleanup(lambda: self.assertTrue(self.neighbour.echoes()))

    def peer(self):
        peer = Peer(self.server.address("packet"))
        self.addCleanup(peer.socket.close)
        return peer

    def test_a_packet_over_the_limit(self):
        peer = self.peer()
        self.assertTrue(peer.echoes(b"x" * 1000))
        peer.write(packet(b"x" * 1001))
        self.assertTrue(peer.ended())

    def test_a_length_over_the_limit_is_refused_before_the_packet_comes(self):
        peer = self.peer()
        peer.write(b"\xff\xff")
        self.assertTrue(peer.ended())

    def test_a_broken_length(self):
        """Cut off within the length, and within the packet."""
        for octets in (b"\0", b"\0\x05abc"):
            with self.subTest(octets=octets):
                peer = self.peer()
                peer.write(octets)
                peer.socket.shutdown(socket.SHUT_WR)
                self.assertTrue(peer.ended())

    def test_one_octet_at_a_time_then_silence(self):
        peer = self.peer()
        for octet in packet(b"slow"):
            peer.write(bytes([octet]))
        self.assertEqual(peer.read(6), packet(b"slow"))
        for octet in packet(b"never finished")[:-1]:
            peer.write(bytes([octet]))
        self.assertTrue(peer.ended(), "the packet time-out ends it")

    def test_one_that_never_reads(self):
        deaf = self.peer()
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.socket.setblocking(False)
        # Until the server takes no more: it has stopped reading instead of keeping it all.
        octets, written = packet(b"x" * 1000) * 64, 0
        while written < 64 << 20:
            if not select.select([], [deaf.socket], [], 0.5)[1]:
                break
            written += deaf.socket.send(octets)
            if written % (1 << 20) < len(octets):
                self.assertTrue(self.neighbour.echoes())
        self.assertLess(written, 64 << 20, "the server never stopped reading")
        self.assertTrue(self.neighbour.echoes())

    def test_an_empty_packet(self):
        self.assertTrue(self.peer().echoes(b""))

    def test_many_packets_in_one_write(self):
        peer = self.peer()
        stream = b"".join(packet(b"%d" % number) for number in range(5000))
        peer.write(stream)
        self.assertEqual(peer.read(len(stream)), stream)

    def test_a_burst_of_connects(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
        peers = []
        try:
            address = self.server.address("packet")
            for _ in range(2000):
                peer = socket.socket()
                peer.setblocking(False)
                self.assertIn(peer.connect_ex(address), (0, 115), "EINPROGRESS")
                peers.append(peer)
            for number, peer in enumerate(peers):
                peer.settimeout(LIMIT)
                poll_out(peer)
                self.assertEqual(peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
                peer.sendall(packet(b"%d" % number))
            for number, peer in enumerate(peers):
                expected = packet(b"%d" % number)
                got = b""
                while len(got) < len(expected):
                    more = peer.recv(len(expected) - len(got))
                    self.assertTrue(more, f"connection {number} was closed")
                    got += more
                self.assertEqual(got, expected)
        finally:
            for peer in peers:
                peer.close()


def poll_out(peer):
    poll = select.poll()
    poll.register(peer, select.POLLOUT)
    assert poll.poll(LIMIT * 1000)


class Idle(Case):
    def test_one_that_says_nothing(self):
        with Program("serve", "echo", "--listen", "127.0.0.1:0", "--length-bytes", "2",
                     "--idle-timeout", "300ms") as server:
            with Peer(server.address("packet")) as silent:
                self.assertTrue(silent.ended())
            with Peer(server.address("packet")) as busy:
                self.assertTrue(busy.echoes())


class Limit(Case):
    def test_connections_over_the_limit_wait_for_their_turn(self):
        with Program("serve", "echo", "--listen", "127.0.0.1:0", "--length-bytes", "2",
                     "--max-connections", "2") as server:
            address = server.address("packet")
            with Peer(address) as first, Peer(address) as second:
                self.assertTrue(first.echoes() and second.echoes())
                with Peer(address) as third:
                    third.write(packet(b"my turn"))
                    self.assertTrue(first.echoes() and second.echoes())
                    first.socket.close()
                    self.assertEqual(third.read(9), packet(b"my turn"))


if __name__ == "__main__":
    program.main()
