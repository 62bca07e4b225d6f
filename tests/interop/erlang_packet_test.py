#!/usr/bin/env python3
"""Erlang's gen_tcp with {packet, 1}, {packet, 2} and {packet, 4} against `hawser serve ping`."""

import os
import shutil
import subprocess

import program
from program import Case, Program

ESCRIPT = shutil.which("escript")


class ErlangPacket(Case):
    def run_peer(self, width):
        with Program("serve", "ping", "--listen", "127.0.0.1:0", "--length-bytes", str(width)) as server:
            _, port = server.address("packet")
            peer = subprocess.run([ESCRIPT, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                         "erlang_peer.escript"), str(port), str(width)],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
            self.assertEqual((peer.returncode, peer.stdout), (0, "ok\n"), peer.stderr)

    def test_packet_1(self):
        self.run_peer(1)

    def test_packet_2(self):
        self.run_peer(2)

    def test_packet_4(self):
        self.run_peer(4)


if __name__ == "__main__":
    program.main(None if ESCRIPT else "erlang-base (escript) is not installed")
