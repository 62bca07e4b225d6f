#!/usr/bin/env python3
"""HAProxy in front of `hawser serve --proxy-protocol`, with both versions of the header, plain, with TLS
passed through, and with its health checks."""

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile

import program
from certificates import Certificates
from program import LIMIT, Case, Foreign, Program, await_listener, call_by_peer, free_port

HAPROXY = shutil.which("haproxy") or ("/usr/sbin/haproxy" if os.path.exists("/usr/sbin/haproxy") else None)


class Haproxy(Case):
    def proxy(self, folder, port, target, option):
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen echo
    bind 127.0.0.1:{port}
    server hawser 127.0.0.1:{target} {option} check inter 50ms
""")
        return Foreign(HAPROXY, "-db", "-f", path)

    def serve(self, *words):
        return Program("serve", "echo", "--listen", "127.0.0.1:0", *words)

    def test_both_versions(self):
        for option in ("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"):
            with self.subTest(option), self.serve("--proxy-protocol", "127.0.0.1/32") as server, \
                    tempfile.TemporaryDirectory() as folder:
                port = free_port()
                with self.proxy(folder, port, server.address("packet")[1], option):
                    await_listener(port)
                    lines = call_by_peer(("127.0.0.1", port), packets=200, size=3000, rounds=5)
                    self.assertEqual(lines[-1], "done", lines)

    def test_the_servers_peer_is_the_client_and_not_the_proxy(self):
        for option in ("send-proxy", "send-proxy-v2"):
            with self.subTest(option), tempfile.TemporaryDirectory() as folder:
                observe = os.path.join(folder, "observe.sock")
                os.chmod(folder, 0o700)
                with self.serve("--proxy-protocol", "127.0.0.1/32", "--observe", observe) as server:
                    port = free_port()
                    with self.proxy(folder, port, server.address("packet")[1], option):
                        await_listener(port)
                        # An address of its own: the proxy's, and its health checks', is 127.0.0.1.
                        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT,
                                                      source_address=("127.0.0.2", 0)) as client:
                            client.sendall(struct.pack(">H", 5) + b"hello")
                            self.assertEqual(client.recv(7, socket.MSG_WAITALL), b"\0\5hello")
                            mine = "%s:%d" % client.getsockname()
                            self.assertIn(mine, self.peers(observe))
                            self.assertTrue(mine.startswith("127.0.0.2:"))

    def peers(self, observe):
        """Whom the server's connections are from, as it says itself."""
        seen = subprocess.run([program.hawser, "observe", observe, "--json"], timeout=LIMIT, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return [each["peer"] for each in json.loads(seen.stdout)["connections"]["connections"]]

    def test_tls_behind_the_header(self):
        with Certificates() as files, self.serve(
                "--proxy-protocol", "127.0.0.0/8", "--tls-certificate", files.certificate, "--tls-key",
                files.key) as server, tempfile.TemporaryDirectory() as folder:
            port = free_port()
            with self.proxy(folder, port, server.address("packet")[1], "send-proxy-v2"):
                await_listener(port)
                lines = call_by_peer(("127.0.0.1", port), tls="any", ca=files.ca, name="localhost", rounds=2)
                self.assertEqual(lines[-1], "done", lines)

    def test_without_the_header_nobody_is_served(self):
        with self.serve("--proxy-protocol", "127.0.0.1/32") as server, \
                tempfile.TemporaryDirectory() as folder:
            port = free_port()
            with self.proxy(folder, port, server.address("packet")[1], ""):
                await_listener(port)
                self.ended(("127.0.0.1", port))

    def test_nor_is_who_is_not_trusted(self):
        with self.serve("--proxy-protocol", "10.0.0.0/8") as server, tempfile.TemporaryDirectory() as folder:
            port = free_port()
            with self.proxy(folder, port, server.address("packet")[1], "send-proxy"):
                await_listener(port)
                self.ended(("127.0.0.1", port))

    def ended(self, address):
        with socket.create_connection(address, timeout=LIMIT) as peer:
            try:
                peer.sendall(struct.pack(">H", 5) + b"hello")
                self.assertEqual(peer.recv(1), b"")
            except (ConnectionResetError, BrokenPipeError):
                pass


if __name__ == "__main__":
    program.main(None if HAPROXY else "haproxy is not installed")
