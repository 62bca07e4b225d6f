#!/usr/bin/env python3
"""Checks every source file's form, and calls that no code of ours makes.

Form: at most 700 lines, a comment on top, `#pragma once` right after it in headers, no tabs, no
trailing blanks, a newline at the end. Calls: see BANNED. A reason in the code lifts the ban on
naked allocation: `// allocation: why` on the line or the one before.

    scripts/check_files.py [ROOT]         exit code 0: clean, 1: violations, one a line
"""

import os
import re
import sys

MAX_LINES = 700
TEXT = (".hpp", ".cpp", ".h", ".cc", ".py", ".sh", ".cmake", ".txt", ".md", ".json", ".toml", ".js",
        ".erl", ".css", ".html", ".yml", ".yaml")
SCRIPTS = ("run", "test", ".clang-tidy", ".clang-format", ".gitignore")
SKIP = {"build", "node_modules", ".git", ".cache", "__pycache__"}
DATA = re.compile(r"(^|/)(corpus|corpora|vectors)/")  # bytes for parsers, not text of ours

WAITS = ("hawser/engine/", "bench/")  # where clocks, chance and waiting are allowed
# (pattern over code without comments and literals, where it is allowed, what to do instead)
BANNED = [
    (r"(?:^|[;{}()]|\breturn|\belse|\bdo)\s*(?:::|std::)?(?:u|nano)?sleep\s*\(", WAITS,
     "sleep: nothing waits outside the engine; use a timer"),
    (r"\bthis_thread\s*::\s*sleep_(?:for|until)\b", WAITS,
     "sleep: nothing waits outside the engine; use a timer"),
    (r"\b(?:steady|system|high_resolution)_clock\s*::\s*now\b", WAITS,
     "clock: ask the engine for the time"),
    (r"\b(?:clock_gettime|gettimeofday)\s*\(|\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)", WAITS,
     "clock: ask the engine for the time"),
    (r"(?<![\w.>])s?rand\s*\(|\brandom_device\b|\bmt19937", WAITS,
     "chance: use the engine's Random, so that a seed replays the run"),
    (r"\bvolatile\b", (), "volatile: it is no synchronisation; use std::atomic"),
    (r"(?<!::)(?<!:: )(?<!operator )\bnew\b", (),
     "naked new: use std::make_unique or a container, or say why: // allocation: ..."),
    (r"(?<!operator )(?<!= )(?<!=)\bdelete\b", (),
     "naked delete: use std::unique_ptr or a container, or say why: // allocation: ..."),
]
BANNED = [(re.compile(pattern, re.MULTILINE), places, advice) for pattern, places, advice in BANNED]

# A comment, a raw string, a string or a character literal (not the ' in 1'000).
NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|\bR"([^()\\\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)


def code_of(text):
    """`text` with comments and literals blanked out, line for line and column for column."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def check_form(path, text):
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    elif text:
        yield len(lines), "no newline at the end of the file"
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines, {MAX_LINES} at most: one role per file, split it"
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            yield number, "a tab: use blanks"
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
    if not path.endswith((".hpp", ".cpp")):
        return
    if not lines or not lines[0].startswith("// "):
        yield 1, "no comment on top: say in 1-3 sentences what the file is for"
    if path.endswith(".hpp"):
        first = next((n for n, line in enumerate(lines) if line and not line.startswith("//")), None)
        if first is None or lines[first] != "#pragma once":
            yield (first or 0) + 1, "a header is its top comment, then #pragma once, then the rest"


def check_calls(path, text):
    lines = text.split("\n")
    code = code_of(text)
    for pattern, places, advice in BANNED:
        if any(path.startswith(place) for place in places):
            continue
        for found in pattern.finditer(code):
            number = code.count("\n", 0, found.end()) + 1
            annotated = any("// allocation:" in line for line in lines[max(0, number - 2):number])
            # `#include <new>` is no allocation.
            if lines[number - 1].lstrip().startswith("#") or ("naked" in advice and annotated):
                continue
            yield number, advice


def files(root):
    for directory, names, entries in os.walk(root):
        names[:] = sorted(set(names) - SKIP)
        for name in sorted(entries):
            path = os.path.relpath(os.path.join(directory, name), root)
            if (name.endswith(TEXT) or name in SCRIPTS) and not DATA.search(path):
                yield path


def check(root):
    """All violations under `root`, as "file:line: what, and how to mend it"."""
    problems = []
    for path in files(root):
        with open(os.path.join(root, path), encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
        found = list(check_form(path, text))
        if path.endswith((".hpp", ".cpp", ".h", ".cc")):
            found += check_calls(path, text)
        problems += [f"{path}:{number}: {what}" for number, what in sorted(found)]
    return problems


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    problems = check(root)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
