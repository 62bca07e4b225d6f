#!/usr/bin/env python3
"""Node's `ws` as the client of our WebSocket server and as the server of our client."""

import os
import shutil
import subprocess

import program
from program import LIMIT, Case, Foreign, call_by_peer, serve_by_peer

NODE = shutil.which("node")
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_peer.js")
# Where Debian's node-ws is, whichever node is the first in the path.
ENVIRONMENT = {**os.environ, "NODE_PATH": "/usr/share/nodejs:/usr/lib/nodejs"}


def absent():
    if not NODE:
        return "nodejs is not installed"
    found = subprocess.run([NODE, "-e", "require('ws')"], env=ENVIRONMENT, capture_output=True)
    return None if found.returncode == 0 else "node-ws is not installed"


class NodeWs(Case):
    def test_as_the_client(self):
        for deflate in ("forget", "takeover"):
            with self.subTest(deflate), serve_by_peer(websocket="/ws", deflate=deflate) as server:
                url = "ws://127.0.0.1:%d/ws" % server.address("packet")[1]
                done = subprocess.run([NODE, SCRIPT, "client", url], env=ENVIRONMENT, text=True,
                                      stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
                self.assertEqual((done.returncode, done.stdout), (0, "ok\n"), done.stderr)

    def test_as_the_server(self):
        for mode, words in (("plain", {}), ("deflate", {"deflate": "forget"}),
                            ("deflate", {"deflate": "takeover", "text": 1})):
            with self.subTest(words), Foreign(NODE, SCRIPT, "server", mode, env=ENVIRONMENT) as server:
                port = int(server.await_line("port").split()[1])
                lines = call_by_peer(("127.0.0.1", port), websocket="/", size=3000, rounds=2, **words)
                self.assertEqual(lines[-1], "done", lines)
                self.assertIn("compresses=%d" % (mode == "deflate"), lines[0])
                self.assertEqual(server.await_line("closed"), "closed 1000")


if __name__ == "__main__":
    program.main(absent())
