#!/usr/bin/env python3
"""socat between a pipe and our servers, and between our client and theirs: TCP, Unix sockets, TLS."""

import os
import shutil
import stat
import struct
import subprocess
import tempfile

import program
from certificates import Certificates
from program import LIMIT, Case, Foreign, Program, await_listener, call_by_peer, free_port

SOCAT = shutil.which("socat")


def packet(text):
    return struct.pack(">H", len(text)) + text


def through(address, said):
    """Everything that comes back before the peer closes, or half a second after our end."""
    done = subprocess.run([SOCAT, "-", address], input=said, capture_output=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Socat(Case):
    SAID = b"".join(packet(b"packet %d " % i + b"x" * i) for i in range(500))

    def test_tcp_and_a_half_close(self):
        with Program("serve", "echo", "--listen", "127.0.0.1:0") as server:
            address = "TCP:127.0.0.1:%d" % server.address("packet")[1]
            self.assertEqual(through(address, self.SAID), self.SAID)

    def test_unix(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "echo.sock")
            with Program("serve", "echo", "--unix", path):
                self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
                self.assertEqual(through("UNIX-CONNECT:" + path, self.SAID), self.SAID)
            self.assertFalse(os.path.exists(path))

    def test_tls_with_certificates_of_both(self):
        with Certificates() as files, Program(
                "serve", "echo", "--listen", "127.0.0.1:0", "--tls-certificate", files.certificate, "--tls-key",
                files.key, "--tls-client-ca", files.ca) as server:
            address = ("OPENSSL:127.0.0.1:%d,cafile=%s,cert=%s,key=%s,commonname=localhost"
                       % (server.address("packet")[1], files.ca, files.client_certificate, files.client_key))
            self.assertEqual(through(address, self.SAID), self.SAID)

    def test_our_client_of_its_tcp_and_unix_echo(self):
        port = free_port()
        with Foreign(SOCAT, f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "PIPE"):
            await_listener(port)
            self.assertEqual(call_by_peer(("127.0.0.1", port), rounds=3)[-1], "done")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "their.sock")
            with Foreign(SOCAT, "-d", "-d", f"UNIX-LISTEN:{path},fork", "PIPE") as server:
                server.await_line("listening on")
                self.assertEqual(call_by_peer("unix:" + path, rounds=3)[-1], "done")

    def test_our_client_of_its_tls_echo(self):
        port = free_port()
        with Certificates() as files, Foreign(
                SOCAT, f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={files.certificate},"
                f"key={files.key},cafile={files.ca},verify=1", "PIPE"):
            await_listener(port)
            lines = call_by_peer(("127.0.0.1", port), tls="any", ca=files.ca, name="localhost", rounds=2,
                                 certificate=files.client_certificate, key=files.client_key)
            self.assertEqual(lines[-1], "done", lines)


if __name__ == "__main__":
    program.main(None if SOCAT else "socat is not installed")
