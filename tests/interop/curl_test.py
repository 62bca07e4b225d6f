#!/usr/bin/env python3
"""curl against our servers: the HTTP answers of a WebSocket server, its upgrade, and what TLS says to a
client that speaks HTTP."""

import shutil
import subprocess

import program
from certificates import Certificates
from program import LIMIT, Case, Program

CURL = shutil.which("curl")
UPGRADE = ("-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def curl(*words, wait=5):
    """Status and the answer with its head; curl itself ends after `wait` seconds at the latest."""
    done = subprocess.run([CURL, "--silent", "--show-error", "--include", "--http1.1", "--max-time", str(wait),
                           *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    return done.returncode, done.stdout.decode(errors="replace").lower(), done.stderr.decode(errors="replace")


class Curl(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Program("serve", "echo", "--listen", "127.0.0.1:0", "--websocket",
                                                   "/ws"))
        cls.url = "http://127.0.0.1:%d/ws" % cls.server.address("packet")[1]

    def answer(self, *words, status):
        code, answer, errors = curl(*words)
        self.assertEqual(code, 0, errors)
        self.assertTrue(answer.startswith(f"http/1.1 {status} "), answer)
        self.assertRegex(answer, "connection: (upgrade, )?close")
        return answer

    def test_who_asks_for_no_websocket_is_told_to(self):
        self.assertIn("upgrade: websocket", self.answer(self.url, status=426))

    def test_other_methods_paths_and_versions(self):
        self.answer("-X", "POST", "-d", "body", self.url, status=405)
        self.answer(*UPGRADE, self.url + "/other", status=404)
        self.answer("-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 8",
                    "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", self.url, status=426)
        self.answer("-H", "X-Long: " + "x" * 20000, self.url, status=431)

    def test_the_upgrade_has_the_right_key(self):
        code, answer, errors = curl(*UPGRADE, self.url, wait=1)  # it then waits for what never comes
        self.assertEqual(code, 28, errors)
        self.assertTrue(answer.startswith("http/1.1 101 "), answer)
        self.assertIn("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=", answer)
        self.assertIn("upgrade: websocket", answer)

    def test_over_tls(self):
        with Certificates() as files, Program(
                "serve", "echo", "--listen", "127.0.0.1:0", "--websocket", "/", "--tls-certificate",
                files.certificate, "--tls-key", files.key) as server:
            url = "//localhost:%d/" % server.address("packet")[1]
            self.answer("--cacert", files.ca, "https:" + url, status=426)
            code, _, _ = curl("https:" + url)
            self.assertEqual(code, 60)  # nobody it trusts
            code, answer, _ = curl("http:" + url)
            self.assertNotEqual(code, 0)  # plain HTTP where TLS is spoken
            self.assertNotIn("http/1.1 1", answer)

    def test_a_server_of_packets_ends_who_speaks_http(self):
        with Program("serve", "echo", "--listen", "127.0.0.1:0", "--packet-limit", "1000B") as server:
            code, answer, _ = curl("http://127.0.0.1:%d/" % server.address("packet")[1])
            self.assertIn(code, (52, 56))  # an empty answer, or a reset
            self.assertEqual(answer, "")


if __name__ == "__main__":
    program.main(None if CURL else "curl is not installed")
