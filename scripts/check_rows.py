#!/usr/bin/env python3
"""Checks that each row of a specification is answered by a test that exists: docs/tcp.md has a line
for every row, each test that a line names is in the sources, and one of them bears the row's number
in its name. A row that no test can show says so: "no test: why". And the other way round: a test
that bears a row's number is named in that row's line.

    scripts/check_rows.py [ROOT]         exit code 0: true, 1: violations, one a line

A line's first cell has the row or rows ("C-07", "E-42, E-43"), its last cell the tests, in backquotes,
as ctest calls them (without the layer, if you like); `*` stands for any letters.
"""

import fnmatch
import os
import re
import sys

PAGE = "docs/tcp.md"
PREFIX = "Tcp"  # of tests that bear a row's number: Tcp_C_07_CB_01_WhatItShows
ROWS = [f"{family}-{number:02}" for family, first, last in
        (("C", 1, 27), ("CB", 1, 17), ("E", 1, 71), ("EB", 0, 24), ("R", 1, 35))
        for number in range(first, last + 1)]

MACRO = re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST|RC_GTEST_PROP)\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
LAYERS = ("base", "engine", "process", "net", "bus", "stomp", "hub", "soak", "apps")
# Tests that are no GoogleTest: the file that is each of them.
SCRIPTS = {"program": "tests/program/{}_test.py", "interop": "tests/interop/{}_test.py",
           "words": "tests/words/{}.cpp", "example": "examples/{}_test.py",
           "house": "scripts/{}_test.py"}
ROW = re.compile(r"\b(?:CB|EB|C|E|R)-\d\d\b")


def tests_of(root):
    """Every "Suite.Name" of the sources."""
    found = set()
    for folder in ("hawser", "tests", "apps", "bench"):
        for directory, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith(".cpp"):
                    with open(os.path.join(directory, name), encoding="utf-8") as file:
                        found.update(f"{suite}.{test}" for suite, test in MACRO.findall(file.read()))
    return found


def rows_of(test):
    """The rows whose numbers a test bears: {"C-07", "CB-01"}."""
    name = test.partition(".")[2]
    numbers = re.match(rf"{PREFIX}_((?:[A-Z]+_\d\d_)+)", name)
    return {row.replace("_", "-") for row in re.findall(r"[A-Z]+_\d\d", numbers[1])} if numbers else set()


def matches(pattern, tests, root):
    """The tests that a name in the page stands for; of scripts their own name."""
    layer, _, rest = pattern.partition(".")
    if layer in SCRIPTS:
        return {pattern} if os.path.exists(os.path.join(root, SCRIPTS[layer].format(rest))) else set()
    if layer in LAYERS:
        pattern = rest
    return set(fnmatch.filter(tests, pattern))


def check(root):
    """All violations, as "file:line: what, and how to mend it"."""
    with open(os.path.join(root, PAGE), encoding="utf-8") as file:
        lines = file.read().splitlines()
    tests = tests_of(root)
    problems = []
    named = {}  # row -> the tests of its line
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        rows = ROW.findall(cells[0]) if len(cells) >= 2 else []
        if not rows or ROW.sub("", cells[0]).strip(" ,"):
            continue
        there = set()
        for pattern in re.findall(r"`([^`]+)`", cells[-1]):
            found = matches(pattern, tests, root)
            there |= found
            if not found:
                problems.append(f"{PAGE}:{number}: there is no test `{pattern}`: name one that exists")
        for row in rows:
            if row not in ROWS:
                problems.append(f"{PAGE}:{number}: there is no row {row}")
            if row in named:
                problems.append(f"{PAGE}:{number}: {row} has a line already: one is enough")
            named[row] = there
            scripts = any(test.partition(".")[0] in SCRIPTS for test in there)
            own = any(row in rows_of(test) for test in there)
            if not own and not scripts and "no test: " not in cells[-1]:
                problems.append(f"{PAGE}:{number}: no test of this line bears the number of {row}: name one "
                                f"{PREFIX}_{row.replace('-', '_')}_…, or say \"no test: why\"")
    problems += [f"{PAGE}:1: {row} has no line" for row in ROWS if row not in named]
    for test in sorted(tests):
        for row in sorted(rows_of(test)):
            if row not in ROWS:
                problems.append(f"{PAGE}:1: {test} bears the number of {row}, which does not exist")
            elif test not in named.get(row, {test}):
                problems.append(f"{PAGE}:1: {test} is not named in the line of {row}: add it")
    return problems


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    problems = check(root)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
