#!/usr/bin/env python3
"""OpenSSL's own s_client and s_server at the other end of TLS: versions, ALPN, SNI, certificates of
both sides, resumption, close_notify."""

import shutil
import struct
import subprocess
import threading

import program
from certificates import Certificates
from program import LIMIT, Case, Foreign, Program, await_listener, call_by_peer, free_port, serve_by_peer


def packet(text):
    return struct.pack(">H", len(text)) + text


def s_client(port, *words, said=packet(b"info") + packet(b"hello"), echoes=2):
    """What s_client wrote to standard output and to standard error, and its status. Its input stays
    open until the answers are there: it ends by closing it, with close_notify."""
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-no_ign_eof",
                               "-state", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    watch = threading.Timer(LIMIT, client.kill)
    watch.start()
    try:
        client.stdin.write(said)
        client.stdin.flush()
        packets = []
        for _ in range(echoes):
            head = client.stdout.read(2)
            if len(head) < 2:
                break
            packets.append(client.stdout.read(struct.unpack(">H", head)[0]))
        client.stdin.close()
        errors = client.stderr.read().decode(errors="replace")
        client.stdout.read()
        return packets, errors, client.wait()
    finally:
        watch.cancel()
        client.kill()
        client.wait()
        for stream in (client.stdout, client.stderr):
            stream.close()


class OurServer(Case):
    @classmethod
    def setUpClass(cls):
        cls.files = cls.enterClassContext(Certificates())
        cls.server = cls.enterClassContext(serve_by_peer(
            tls="any", certificate=cls.files.certificate, key=cls.files.key, ca=cls.files.ca,
            alpn="echo/2,echo/1"))
        cls.port = cls.server.address("packet")[1]

    def test_both_versions_verified_with_name_and_protocol(self):
        for option, version in (("-tls1_2", "TLS 1.2"), ("-tls1_3", "TLS 1.3")):
            with self.subTest(version):
                packets, errors, status = s_client(
                    self.port, option, "-CAfile", self.files.ca, "-verify_return_error", "-verify_hostname",
                    "localhost", "-servername", "other.example", "-alpn", "echo/1,echo/2")
                self.assertEqual(status, 0, errors)
                story = packets[0].decode()
                self.assertIn(version, story)
                self.assertIn("alpn=echo/2 name=other.example resumed=0 peer=", story)
                self.assertEqual(packets[1], b"hello")
                self.assertIn("close notify", errors)

    def test_no_protocol_in_common_is_refused(self):
        packets, errors, status = s_client(self.port, "-CAfile", self.files.ca, "-alpn", "other")
        self.assertEqual(packets, [])
        self.assertIn("no application protocol", errors)
        self.assertNotEqual(status, 0)

    def test_a_client_certificate(self):
        packets, errors, status = s_client(
            self.port, "-CAfile", self.files.ca, "-cert", self.files.client_certificate, "-key",
            self.files.client_key)
        self.assertEqual(status, 0, errors)
        self.assertIn("peer=CN=alice", packets[0].decode())

    def test_a_session_is_resumed(self):
        for option in ("-tls1_2", "-tls1_3"):
            with self.subTest(option):
                session = f"{self.files.folder.name}/session{option}"
                s_client(self.port, option, "-sess_out", session)
                packets, errors, _ = s_client(self.port, option, "-sess_in", session)
                self.assertIn("resumed=1", packets[0].decode(), errors)

    def test_long_packets_both_ways(self):
        body = bytes(range(256)) * 255
        packets, errors, status = s_client(self.port, said=packet(body) * 20, echoes=20)
        self.assertEqual(packets, [body] * 20, errors)
        self.assertEqual(status, 0)

    def test_other_versions_are_refused(self):
        _, errors, status = s_client(self.port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertNotEqual(status, 0)
        self.assertIn("alert", errors)


class RequiredCertificate(Case):
    def test_hawser_serve_wants_a_certificate_of_its_authority(self):
        with Certificates() as files, Program(
                "serve", "echo", "--listen", "127.0.0.1:0", "--tls-certificate", files.certificate,
                "--tls-key", files.key, "--tls-client-ca", files.ca) as server:
            port = server.address("packet")[1]
            packets, errors, _ = s_client(port, "-cert", files.client_certificate, "-key", files.client_key)
            self.assertEqual(packets, [b"info", b"hello"], errors)
            packets, errors, status = s_client(port)
            self.assertEqual(packets, [])
            self.assertIn("certificate required", errors)
            self.assertNotEqual(status, 0)


class OurClient(Case):
    """s_server only prints what it gets, so it is `-rev`: it answers each line turned round. Our client
    sends lines that read the same both ways."""

    @classmethod
    def setUpClass(cls):
        cls.files = cls.enterClassContext(Certificates())

    def s_server(self, port, *words):
        return Foreign("openssl", "s_server", "-accept", str(port), "-cert", self.files.certificate, "-key",
                       self.files.key, "-rev", "-state", *words)

    def call(self, port, **words):
        return call_by_peer(("127.0.0.1", port), ca=self.files.ca, name="localhost", framing="line",
                            palindrome=1, **words)

    def test_both_versions_with_protocol_and_certificate(self):
        for version in ("1.2", "1.3"):
            with self.subTest(version):
                port = free_port()
                with self.s_server(port, "-alpn", "echo/1", "-Verify", "1", "-CAfile", self.files.ca,
                                   "-verify_return_error") as server:
                    await_listener(port)
                    lines = self.call(port, tls=version, alpn="echo/1,echo/2",
                                      certificate=self.files.client_certificate, key=self.files.client_key)
                    self.assertEqual(lines[-1], "done", lines)
                    self.assertIn(version, lines[0])
                    self.assertIn("alpn=echo/1", lines[0])
                    self.assertIn("peer=CN=localhost", lines[0])
                    server.await_line("close notify")

    def test_sessions_are_resumed(self):
        for version in ("1.2", "1.3"):
            with self.subTest(version):
                port = free_port()
                with self.s_server(port):
                    await_listener(port)
                    lines = self.call(port, tls=version, rounds=3)
                    self.assertEqual(lines[-1], "done", lines)
                    connected = [line for line in lines if line.startswith("connected")]
                    self.assertIn("resumed=0", connected[0])
                    self.assertIn("resumed=1", connected[1])
                    self.assertIn("resumed=1", connected[2])

    def test_a_wrong_name_and_a_stranger_are_not_believed(self):
        port = free_port()
        with self.s_server(port), Certificates() as others:
            await_listener(port)
            for words, why in ((dict(ca=self.files.ca, name="wrong.example"), "wrong.example"),
                               (dict(ca=others.ca, name="localhost"), "not accepted")):
                lines = call_by_peer(("127.0.0.1", port), framing="line", tls="any", **words)
                self.assertIn("lost", lines[-1])
                self.assertIn(why, lines[-1])


if __name__ == "__main__":
    program.main(None if shutil.which("openssl") else "openssl is not installed")
