#!/usr/bin/env python3
"""SIGHUP has certificates read again, by `hawser serve` and on both TLS listeners of `hawser hub`:
openssl s_client sees the new serial number, a connection that was there stays, and a wrong file
leaves the old certificate in use and is named in the log."""

import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import program  # noqa: E402
from program import LIMIT, Case, Program  # noqa: E402

READ = "certificates were read again"
KEPT = "stays as it was: certificates: "


def serial(address):
    """What openssl's own client is shown."""
    seen = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % address], timeout=LIMIT,
                          stdin=subprocess.DEVNULL, capture_output=True).stdout
    told = subprocess.run(["openssl", "x509", "-noout", "-serial"], timeout=LIMIT, input=seen,
                          capture_output=True, check=True).stdout.decode()
    return int(re.fullmatch(r"serial=([0-9A-F]+)\n", told)[1], 16)


def packet(text):
    return struct.pack(">H", len(text)) + text


class Reload(Case):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.certificate = os.path.join(self.folder, "certificate.pem")
        self.key = os.path.join(self.folder, "key.pem")
        self.renew(0x1001)

    def renew(self, number):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-set_serial", str(number), "-keyout", self.key, "-out", self.certificate],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def hangup(self, running, line, times):
        running.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + LIMIT
        while running.log().count(line) < times:
            self.assertIsNone(running.process.poll(), "SIGHUP ended it")
            self.assertLess(time.monotonic(), deadline, running.log())
            time.sleep(0.01)

    def rounds(self, running, addresses):
        def expect(number):
            for address in addresses:
                self.assertEqual(serial(address), number)

        expect(0x1001)
        self.renew(0x1002)
        expect(0x1001)  # nobody has told it yet
        self.hangup(running, READ, 1)
        expect(0x1002)

        os.remove(self.key)
        self.hangup(running, KEPT, 1)
        self.assertIn(self.key + ": No such file or directory", running.log())
        expect(0x1002)
        self.renew(0x1003)
        shutil.copyfile(self.certificate, self.certificate + ".half")
        with open(self.certificate, "w", encoding="ascii") as file:
            file.write("-----BEGIN CERTIFICATE-----\nhalf of it\n")
        self.hangup(running, KEPT, 2)
        self.assertIn(self.certificate, running.log().split(KEPT)[2])
        expect(0x1002)

        os.replace(self.certificate + ".half", self.certificate)
        self.hangup(running, READ, 2)
        expect(0x1003)

    def test_serve(self):
        with Program("serve", "echo", "--listen", "127.0.0.1:0", "--tls-certificate",
                     self.certificate, "--tls-key", self.key) as server:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            raw = socket.create_connection(server.address("packet"), timeout=LIMIT)
            with context.wrap_socket(raw) as connection:
                connection.sendall(packet(b"before"))
                self.assertEqual(connection.recv(100), packet(b"before"))
                self.rounds(server, [server.address("packet")])
                connection.sendall(packet(b"after"))
                self.assertEqual(connection.recv(100), packet(b"after"))

    def test_hub(self):
        with Program("hub", "--stomp", "none", "--packet", "none", "--stomp-tls", "127.0.0.1:0",
                     "--stomp-websocket-tls", "127.0.0.1:0", "--tls-certificate", self.certificate,
                     "--tls-key", self.key) as hub:
            self.rounds(hub, [hub.address("stomp-tls"), hub.address("stomp-websocket-tls")])

    def test_serve_without_tls_ends_by_it(self):
        with Program("serve", "echo", "--listen", "127.0.0.1:0",
                     expect_status=-signal.SIGHUP) as server:
            server.process.send_signal(signal.SIGHUP)
            server.process.wait(timeout=LIMIT)


if __name__ == "__main__":
    program.main(None if shutil.which("openssl") else "openssl is not installed")
