#!/usr/bin/env python3
"""Shows that check_rows sees each kind of violation, and lets the rest pass."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_rows  # noqa: E402

TEST = "TEST(A, Tcp_C_01_CB_01_ItHolds) {}\nTEST_F(A, Another) {}\n"
PAGE = "| C-01, CB-01 | it holds | `A.Tcp_C_01_CB_01_ItHolds` |\n| C-02 | built so | no test: it is a type |\n"


class CheckRows(unittest.TestCase):
    def setUp(self):
        self.rows = check_rows.ROWS
        check_rows.ROWS = ["C-01", "C-02", "CB-01"]

    def tearDown(self):
        check_rows.ROWS = self.rows

    def problems(self, page=PAGE, source=TEST, files=()):
        with tempfile.TemporaryDirectory() as root:
            for path, text in (("docs/tcp.md", page), ("hawser/net/a.test.cpp", source), *files):
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return check_rows.check(root)

    def fails(self, word, *arguments, **named):
        found = self.problems(*arguments, **named)
        self.assertEqual(len(found), 1, found)
        self.assertIn(word, found[0])

    def test_a_true_page(self):
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.problems(PAGE.replace("`A.Tcp_C_01_CB_01_ItHolds`", "`net.A.Tcp_*`, `A.An*r`")), [])

    def test_a_row_without_a_line(self):
        self.fails("C-02 has no line", PAGE.split("\n")[0] + "\n")

    def test_a_row_with_two(self):
        self.fails("already", PAGE + "| C-02 | again | no test: a type |\n")

    def test_a_row_that_does_not_exist(self):
        self.fails("no row C-77", PAGE + "| C-77 | what | no test: none |\n")

    def test_a_test_that_does_not_exist(self):
        self.fails("no test `A.Gone`", PAGE.replace("`A.T", "`A.Gone`, `A.T"))
        self.fails("no test `program.gone`", PAGE.replace("`A.T", "`program.gone`, `A.T"))

    def test_scripts_are_files(self):
        page = PAGE.replace("no test: it is a type", "`words.wrong`")
        self.fails("no test `words.wrong`", page.replace("`words.wrong`", "`words.wrong`, no test: x"))
        self.assertEqual(self.problems(page, files=(("tests/words/wrong.cpp", ""),)), [])

    def test_a_row_without_a_test_of_its_own(self):
        self.fails("bears the number of C-02", PAGE.replace("no test: it is a type", "`A.Another`"))

    def test_a_test_that_no_line_names(self):
        self.fails("B.Tcp_C_02_More is not named in the line of C-02", source=TEST + "TEST(B, Tcp_C_02_More) {}\n")

    def test_a_number_that_does_not_exist(self):
        self.fails("C-77, which does not exist", source=TEST + "TEST(B, Tcp_C_77_More) {}\n")


if __name__ == "__main__":
    unittest.main()
