#!/usr/bin/env python3
"""Shows that check_layers sees each kind of violation, and lets the rest pass."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_layers  # noqa: E402


def problems(path, *includes):
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, os.path.dirname(path)))
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write("// A file.\n" + "".join(f"#include {include}\n" for include in includes))
        return check_layers.check(root)


class CheckLayers(unittest.TestCase):
    def fails(self, path, include, *words):
        found = problems(path, include)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:2: "), found[0])
        for word in words:
            self.assertIn(word, found[0])

    def passes(self, path, include):
        self.assertEqual(problems(path, include), [])

    def test_down_and_sideways_inside_a_layer_pass(self):
        self.passes("hawser/hub/hub.cpp", "<hawser/base/bytes.hpp>")
        self.passes("hawser/stomp/client.cpp", "<hawser/net/client.hpp>")
        self.passes("hawser/stomp/session.cpp", "<hawser/bus/bus.hpp>")
        self.passes("hawser/net/a.hpp", "<hawser/net/b.hpp>")
        self.passes("apps/hawser/main.cpp", "<hawser/hawser.hpp>")
        self.passes("hawser/base/a.cpp", "<vector>")

    def test_every_upward_arrow_fails(self):
        flat = [(layer, rank) for rank, row in enumerate(check_layers.ROWS[:6]) for layer in row]
        for source, low in flat:
            for target, high in flat:
                if high > low:
                    self.fails(f"hawser/{source}/a.cpp", f"<hawser/{target}/b.hpp>",
                               f"{source} -> {target}", "points up", "move")

    def test_neighbours_fail(self):
        for source, target in [("net", "bus"), ("bus", "net"), ("stomp", "wamp"), ("noam", "stomp"),
                               ("wamp", "noam")]:
            self.fails(f"hawser/{source}/a.hpp", f"<hawser/{target}/b.hpp>",
                       f"{source} -> {target}", "side by side")

    def test_the_library_must_not_know_its_users(self):
        self.fails("hawser/net/a.cpp", "<hawser/hawser.hpp>", "points up")
        self.fails("hawser/hub/a.cpp", "<apps/hawser/options.hpp>", "hub -> apps")
        self.fails("bench/a.cpp", "<tests/support.hpp>", "points up")

    def test_detail_is_for_its_own_layer(self):
        self.passes("hawser/net/a.cpp", "<hawser/net/detail/cut.hpp>")
        self.fails("hawser/stomp/a.cpp", "<hawser/net/detail/cut.hpp>", "internal to net")
        self.fails("apps/hawser/a.cpp", "<hawser/net/detail/cut.hpp>", "internal to net")

    def test_unknown_layers_fail(self):
        self.fails("hawser/misc/a.cpp", "<vector>", "no layer")
        self.fails("hawser/net/a.cpp", "<hawser/misc/a.hpp>", "no such layer")

    def test_names_from_the_file_fail(self):
        self.fails("hawser/net/a.cpp", '"b.hpp"', "from the root")
        self.fails("tests/a.cpp", '"../hawser/net/b.hpp"', "library header")
        self.fails("tests/a.cpp", '"hawser/net/b.hpp"', "library header")
        self.passes("tests/soak/a.cpp", '"support.hpp"')

    def test_outside_libraries_keep_to_their_place(self):
        self.passes("hawser/engine/uring/ring.cpp", "<liburing.h>")
        self.passes("hawser/engine/uring.cpp", "<liburing.h>")
        self.fails("hawser/engine/epoll.cpp", "<liburing.h>", "one engine's affair")
        self.fails("hawser/process/a.cpp", "<sys/epoll.h>", "outside the engine")
        self.fails("hawser/stomp/a.cpp", "<openssl/ssl.h>", "one transport")
        self.passes("hawser/net/websocket/detail/frame_head.cpp", "<wslay/wslay.h>")
        self.fails("hawser/net/connection.cpp", "<wslay/wslay.h>", "one transport")
        self.passes("hawser/net/websocket/detail/deflate.cpp", "<zlib.h>")
        self.fails("hawser/stomp/codec.cpp", "<zlib.h>", "permessage-deflate")
        self.passes("hawser/net/websocket/detail/http_head.cpp", "<boost/beast/http/parser.hpp>")
        self.fails("hawser/net/websocket/websocket.cpp", "<boost/beast/http/parser.hpp>",
                   "one translation unit")
        self.fails("hawser/bus/queue.cpp", "<sqlite3.h>", "the store's affair")
        self.fails("hawser/net/a.cpp", "<spdlog/spdlog.h>", "base/log")
        self.fails("hawser/hub/a.cpp", "<CLI/CLI.hpp>", "belongs to programs")
        self.fails("hawser/net/a.cpp", "<benchmark/benchmark.h>", "bench/")

    def test_heavy_headers_stay_out_of_public_headers(self):
        self.fails("hawser/engine/uring/ring.hpp", "<liburing.h>", "include it in the .cpp")
        self.fails("hawser/stomp/a.cpp", "<toml++/toml.h>", "the hub's affair")
        for header in ["<fmt/format.h>", "<nlohmann/json.hpp>", "<toml++/toml.h>"]:
            self.fails("hawser/hub/a.hpp", header, "include it in the .cpp")
            self.passes("hawser/hub/a.cpp", header)
            self.passes("hawser/hub/detail/a.hpp", header)

        self.fails("hawser/net/websocket/websocket.hpp", "<wslay/wslay.h>", "include it in the .cpp")
        self.fails("hawser/net/websocket/websocket.hpp", "<zlib.h>", "include it in the .cpp")

    def test_test_libraries_stay_in_tests(self):
        self.passes("hawser/net/a.test.cpp", "<gtest/gtest.h>")
        self.passes("tests/a.cpp", "<rapidcheck/gtest.h>")
        self.fails("hawser/net/a.cpp", "<gtest/gtest.h>", "test library")
        self.fails("hawser/net/a.cpp", "<rapidcheck.h>", "test library")


if __name__ == "__main__":
    unittest.main()
