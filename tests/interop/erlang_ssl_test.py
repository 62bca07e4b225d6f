#!/usr/bin/env python3
"""Erlang's ssl with {packet, 1}, {packet, 2} and {packet, 4}: as the client of our server and as the
server of our client, with TLS 1.2 and 1.3 and certificates of both."""

import contextlib
import os
import shutil
import subprocess

import program
from certificates import Certificates
from program import Case, Foreign, call_by_peer, serve_by_peer

ESCRIPT = shutil.which("escript")
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "erlang_ssl_peer.escript")


def absent():
    if not ESCRIPT:
        return "erlang-base (escript) is not installed"
    found = subprocess.run(["erl", "-noshell", "-eval", "halt(case code:which(ssl) of non_existing -> 1; _ -> 0 end)."],
                           capture_output=True, stdin=subprocess.DEVNULL)
    return None if found.returncode == 0 else "erlang-ssl is not installed"


class ErlangSsl(Case):
    @classmethod
    def setUpClass(cls):
        cls.files = cls.enterClassContext(Certificates())

    def test_as_the_client(self):
        files = self.files
        with contextlib.ExitStack() as stack:
            words = []
            for width, version in (("1", "1.3"), ("2", "1.2"), ("4", "1.3")):
                server = stack.enter_context(serve_by_peer(
                    tls="any", framing=width, alpn="echo/1", certificate=files.certificate, key=files.key,
                    ca=files.ca))
                words += [str(server.address("packet")[1]), width, "tlsv" + version]
            done = subprocess.run([ESCRIPT, SCRIPT, "client", files.ca, files.client_certificate,
                                   files.client_key, *words], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=240)
            self.assertEqual((done.returncode, done.stdout), (0, "ok\n"), done.stderr)

    def test_as_the_server(self):
        files = self.files
        for width, version in (("2", "1.3"), ("4", "1.2")):
            with self.subTest(width), Foreign(ESCRIPT, SCRIPT, "server", width, "tlsv" + version, files.ca,
                                              files.certificate, files.key) as server:
                port = int(server.await_line("port").split()[1])
                lines = call_by_peer(("127.0.0.1", port), tls="any", ca=files.ca, name="localhost",
                                     framing=width, alpn="echo/1", size=20000, packets=50, rounds=2,
                                     certificate=files.client_certificate, key=files.client_key)
                self.assertEqual(lines[-1], "done", lines)
                self.assertIn("alpn=echo/1", lines[0])
                self.assertIn("TLS " + version, lines[0])
                server.await_line("closed")


if __name__ == "__main__":
    program.main(absent())
