#!/usr/bin/env python3
"""What no STOMP client should send, over plain sockets, to `hawser hub`: an ERROR that names the
fault, then the end of the stream, and nobody else is hurt."""

import socket

import program
from program import LIMIT, Case, Program
from raw_stomp import RawStomp


class Malformed(Case):
    @classmethod
    def setUpClass(cls):
        cls.hub = cls.enterClassContext(Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none"))

    def peer(self):
        return self.enterContext(RawStomp(self.hub.address("stomp")))

    def logged_in(self, version="1.2"):
        peer = self.peer()
        peer.login(version)
        return peer

    def assert_error(self, peer, *words, **headers):
        frame = peer.frame()
        self.assertIsNotNone(frame, "the stream ended without an ERROR")
        self.assertEqual(frame.command, "ERROR", frame)
        said = frame.headers.get("message", "") + " " + frame.body.decode()
        for word in words:
            self.assertIn(word, said)
        for name, value in headers.items():
            self.assertEqual(frame.headers.get(name.replace("_", "-")), value, frame)
        self.assertEqual(frame.headers["content-type"], "text/plain")
        self.assertTrue(peer.ended())
        return frame

    def refused_after_login(self, octets, *words, version="1.2", **headers):
        peer = self.logged_in(version)
        peer.write(octets)
        return self.assert_error(peer, *words, **headers)

    # ---- before login --------------------------------------------------------------------------

    def test_leading_line_ends_and_crlf_are_fine(self):
        peer = self.peer()
        peer.write(b"\n\r\n\nCONNECT\r\naccept-version:1.2\r\nhost:h\r\n\r\n\0")
        self.assertEqual(peer.frame().headers["version"], "1.2")

    def test_stomp_is_connect(self):
        peer = self.peer()
        peer.write(b"STOMP\naccept-version:1.1\nhost:h\n\n\0")
        self.assertEqual(peer.frame().headers["version"], "1.1")

    def test_no_accept_version_is_1_0(self):
        peer = self.peer()
        peer.write(b"CONNECT\n\n\0")
        self.assertEqual(peer.frame().headers["version"], "1.0")

    def test_no_common_version(self):
        peer = self.peer()
        peer.write(b"CONNECT\naccept-version:1.3\nhost:h\n\n\0")
        self.assert_error(peer, "version", version="1.0,1.1,1.2")

    def test_http_request(self):
        peer = self.peer()
        peer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assert_error(peer, "command")

    def test_bad_heart_beat(self):
        for value in (b"soon", b"1", b"1,2,3", b"-1,0", b"1.5,0"):
            with self.subTest(value=value):
                peer = self.peer()
                peer.write(b"CONNECT\naccept-version:1.2\nhost:h\nheart-beat:" + value + b"\n\n\0")
                self.assert_error(peer, "heart-beat")

    def test_frame_before_login(self):
        peer = self.peer()
        peer.write(b"SEND\ndestination:/topic/a\nreceipt:early\n\n\0")
        self.assert_error(peer, "not connected", receipt_id="early")

    def test_endless_login(self):
        peer = self.peer()
        peer.write(b"CONNECT\n" + b"".join(b"h%d:%s\n" % (n, b"x" * 1000) for n in range(70)))
        self.assert_error(peer, "too")

    # ---- after login -----------------------------------------------------------------------------

    def test_second_connect(self):
        self.refused_after_login(b"CONNECT\naccept-version:1.2\nhost:h\n\n\0", "already connected")

    def test_unknown_command(self):
        self.refused_after_login(b"JUMP\n\n\0", "unknown", "JUMP")

    def test_lower_case_command(self):
        self.refused_after_login(b"send\ndestination:/topic/a\n\n\0", "unknown", "send")

    def test_long_command(self):
        frame = self.refused_after_login(b"A" * 10_000, "command")
        self.assertLess(len(repr(frame)), 1000, "the command is not echoed back")

    def test_server_frame(self):
        self.refused_after_login(b"MESSAGE\ndestination:/topic/a\n\n\0", "MESSAGE")

    def test_header_without_colon(self):
        self.refused_after_login(b"SEND\ndestination\n\n\0", "colon")

    def test_empty_header_name(self):
        self.refused_after_login(b"SEND\n:x\n\n\0", "name")

    def test_undefined_escape(self):
        self.refused_after_login(b"SEND\ndestination:/topic/a\nk:a\\tb\n\n\0", "escape")
        self.refused_after_login(b"SEND\ndestination:/topic/a\nk:a\\rb\n\n\0", "escape", version="1.1")

    def test_bad_content_length(self):
        for value in (b"x", b"-1", b"+1", b"0x10", b"1 ", b"", b"99999999999999999999"):
            with self.subTest(value=value):
                self.refused_after_login(
                    b"SEND\ndestination:/topic/a\ncontent-length:" + value + b"\n\nx\0", "content-length")

    def test_body_longer_than_announced(self):
        self.refused_after_login(b"SEND\ndestination:/topic/a\ncontent-length:2\n\nabc\0", "NUL")

    def test_body_over_the_limit_is_refused_before_it_comes(self):
        self.refused_after_login(b"SEND\ndestination:/topic/a\ncontent-length:99999999\n\n", "body")

    def test_nul_in_head(self):
        self.refused_after_login(b"SEND\ndesti\0nation:/topic/a\n\n\0", "NUL")

    def test_too_many_headers(self):
        self.refused_after_login(b"SEND\n" + b"".join(b"h%d:x\n" % n for n in range(1500)) + b"\n\0", "header")

    def test_long_header_line(self):
        self.refused_after_login(b"SEND\ndestination:/topic/a\nk:" + b"x" * 20_000, "header")

    def test_send_without_destination(self):
        self.refused_after_login(b"SEND\nreceipt:7\n\nx\0", "destination", receipt_id="7")

    def test_unknown_destination(self):
        self.refused_after_login(b"SEND\ndestination:/exchange/a\n\nx\0", "/exchange/a", "/topic/")

    def test_subscribe_without_id(self):
        for version in ("1.1", "1.2"):
            with self.subTest(version=version):
                self.refused_after_login(b"SUBSCRIBE\ndestination:/topic/a\n\n\0", "id", version=version)

    def test_duplicate_subscription(self):
        subscribe = b"SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0"
        self.refused_after_login(subscribe + subscribe, "subscription exists")

    def test_bad_ack_mode(self):
        self.refused_after_login(b"SUBSCRIBE\nid:1\ndestination:/topic/a\nack:foo\n\n\0", "ack")

    def test_unsubscribe_unknown_id(self):
        self.refused_after_login(b"UNSUBSCRIBE\nid:9\nreceipt:r\n\n\0", "no such subscription", receipt_id="r")

    def test_nothing_after_disconnect_is_answered(self):
        peer = self.logged_in()
        peer.write(b"DISCONNECT\nreceipt:bye\n\n\0SEND\ndestination:/topic/a\nreceipt:late\n\n\0")
        frame = peer.frame()
        self.assertEqual((frame.command, frame.headers["receipt-id"]), ("RECEIPT", "bye"))
        self.assertTrue(peer.ended())

    def test_one_octet_at_a_time(self):
        peer = self.peer()
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in b"CONNECT\naccept-version:1.2\nhost:h\n\n\0SEND\ndestination:/topic/a\nreceipt:slow\n\nx\0":
            peer.write(bytes([octet]))
        self.assertEqual(peer.frame().command, "CONNECTED")
        self.assertEqual(peer.frame().headers["receipt-id"], "slow")


class Silence(Case):
    """Peers that do not say or read what they should; the limits are lowered."""

    @classmethod
    def setUpClass(cls):
        cls.hub = cls.enterClassContext(Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none",
                                                "--stomp-login-timeout", "300ms",
                                                "--stomp-heart-beat", "1s"))

    def peer(self):
        return self.enterContext(RawStomp(self.hub.address("stomp")))

    def test_a_peer_that_does_not_log_in(self):
        for octets in (b"", b"CONN", b"\n\n\n"):
            with self.subTest(octets=octets):
                peer = self.peer()
                peer.write(octets)
                frame = peer.frame()
                self.assertEqual(frame.command, "ERROR")
                self.assertIn("login", frame.headers["message"])
                self.assertTrue(peer.ended())

    def test_login_lifts_the_time_out(self):
        peer = self.peer()
        peer.login(beats="0,1000")
        for _ in range(3):  # the hub beats twice a second: longer than the login time-out
            self.assertTrue(peer.beat())
        peer.write(b"SEND\ndestination:/topic/a\nreceipt:r\n\n\0")
        self.assertEqual(peer.frame().headers["receipt-id"], "r")

    def test_heart_beats_keep_a_quiet_peer(self):
        peer = self.peer()
        self.assertEqual(peer.login(beats="1000,1000").headers["heart-beat"], "1000,1000")
        for _ in range(10):
            self.assertTrue(peer.beat())
            peer.write(b"\n")
        peer.write(b"SEND\ndestination:/topic/a\nreceipt:r\n\n\0")
        self.assertEqual(peer.frame().headers["receipt-id"], "r")

    def test_a_peer_whose_heart_stops(self):
        peer = self.peer()
        peer.login(beats="1000,0")
        self.assertTrue(peer.ended())

    def test_one_that_never_reads_does_not_stop_others(self):
        deaf = self.peer()
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.login()
        deaf.write(b"SUBSCRIBE\nid:1\ndestination:/topic/flood\nreceipt:s\n\n\0")
        self.assertEqual(deaf.frame().headers["receipt-id"], "s")
        keen = self.peer()
        keen.login()
        keen.write(b"SUBSCRIBE\nid:1\ndestination:/topic/flood\nreceipt:s\n\n\0")
        self.assertEqual(keen.frame().headers["receipt-id"], "s")
        sender = self.peer()
        sender.login()
        body = b"x" * 10_000
        message = b"SEND\ndestination:/topic/flood\ncontent-length:%d\nreceipt:%%d\n\n" % len(body)
        for number in range(2000):  # 20 MB, and nobody waits for the deaf one
            sender.write(message % number + body + b"\0")
            self.assertEqual(sender.frame().headers["receipt-id"], str(number))
            frame = keen.frame()
            self.assertEqual(frame.command, "MESSAGE")
            self.assertEqual(len(frame.body), len(body))


if __name__ == "__main__":
    program.main()
