#!/usr/bin/env python3
"""Shows that check_files sees each kind of violation, and lets the rest pass."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_files  # noqa: E402


def problems(path, text):
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)
        return check_files.check(root)


class CheckFiles(unittest.TestCase):
    def fails(self, path, text, line, word):
        found = problems(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:{line}: "), found[0])
        self.assertIn(word, found[0])

    def passes(self, path, text):
        self.assertEqual(problems(path, text), [])

    def code(self, line, path="hawser/net/a.cpp"):
        return problems(path, f"// A file.\nvoid f() {{\n  {line}\n}}\n")

    def code_fails(self, line, word, path="hawser/net/a.cpp"):
        found = self.code(line, path)
        self.assertEqual(len(found), 1, (line, found))
        self.assertTrue(found[0].startswith(f"{path}:3: "), found[0])
        self.assertIn(word, found[0])

    def code_passes(self, line, path="hawser/net/a.cpp"):
        self.assertEqual(self.code(line, path), [], line)

    def test_length(self):
        self.passes("hawser/net/a.cpp", "// A file.\n" * 700)
        self.fails("hawser/net/a.cpp", "// A file.\n" * 701, 701, "split it")
        self.fails("README.md", "words\n" * 701, 701, "split it")

    def test_blanks(self):
        self.fails("run", "echo\ta\n", 1, "tab")
        self.fails("docs/a.md", "one\ntwo \n", 2, "end of the line")
        self.fails("docs/a.md", "one", 1, "no newline")
        self.fails("CMakeLists.txt", "project(a)\r\n", 1, "end of the line")
        self.passes("fuzz/corpus/stomp/a.txt", "a\tb \r\n")
        self.passes("image.bin", "a\tb \r\n")

    def test_top_comment_and_pragma(self):
        self.passes("hawser/net/a.hpp", "// A file\n// of ours.\n#pragma once\n\nint a();\n")
        self.fails("hawser/net/a.cpp", "int a;\n", 1, "no comment on top")
        self.fails("hawser/net/a.cpp", "", 1, "no comment on top")
        self.fails("hawser/net/a.hpp", "// A file.\n#include <vector>\n#pragma once\n", 2, "pragma")
        self.fails("hawser/net/a.hpp", "// A file.\n", 1, "pragma")

    def test_waiting_is_seen_and_belongs_to_the_engine(self):
        for line in ["sleep(1);", "::usleep(5);", "if (a) sleep(1);", "else nanosleep(&a, b);",
                     "std::this_thread::sleep_for(1s);", "std::this_thread::sleep_until(a);"]:
            self.code_fails(line, "use a timer")
            self.code_passes(line, "hawser/engine/epoll/loop.cpp")
        for line in ["co_await sleep(1s);", "timers.sleep(1s);", "Task<> sleep(Duration length);",
                     "// sleep(1);", 'log("sleep(1)");']:
            self.code_passes(line)

    def test_clocks_are_seen(self):
        for line in ["auto a = std::chrono::steady_clock::now();", "system_clock::now();",
                     "high_resolution_clock::now();", "time(nullptr);", "auto a = std::time(NULL);",
                     "clock_gettime(CLOCK_MONOTONIC, &a);"]:
            self.code_fails(line, "ask the engine")
            self.code_passes(line, "bench/load.cpp")
        self.code_passes("run_time(0); using Clock = std::chrono::steady_clock;")

    def test_chance_is_seen(self):
        for line in ["int a = rand();", "srand(7);", "std::random_device device;", "std::mt19937 a;"]:
            self.code_fails(line, "a seed replays")
        self.code_passes("auto a = operand(1) + random.next();")

    def test_volatile_is_seen_everywhere(self):
        self.code_fails("volatile int a;", "std::atomic")
        self.code_fails("volatile int a;", "std::atomic", "hawser/engine/a.cpp")

    def test_naked_allocation_is_seen(self):
        for line in ["auto* a = new int;", "return new Thing(1);", "auto* a = new (std::nothrow) T;"]:
            self.code_fails(line, "naked new")
        for line in ["delete a;", "delete[] a;", "if (a) delete a;"]:
            self.code_fails(line, "naked delete")
        for line in ["::new (memory) Block;", "Thing(const Thing&) = delete;", "Thing() =delete;",
                     "::operator delete(block);", "void* a = ::operator new(5);",
                     "auto* a = new T;  // allocation: the ring owns it",
                     "// allocation: the ring owns it\n  auto* a = new T;", "int renew = newest;",
                     "int a = 1'000; /* new */ int b = 2'000;", 'auto a = R"(new " delete)";']:
            self.code_passes(line)
        self.passes("hawser/net/a.cpp", "// A file.\n#include <new>\n")


if __name__ == "__main__":
    unittest.main()
