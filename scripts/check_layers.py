#!/usr/bin/env python3
"""Reads every #include and fails on an arrow that runs the wrong way.

An include points down the layers or stays in its own folder; layers of one rank do not know each
other; a `detail/` folder is its own layer's business; an outside library stays where it belongs.

    scripts/check_layers.py [ROOT]        exit code 0: clean, 1: violations, one a line
"""

import os
import re
import sys

# From the bottom up. Layers in one row stand side by side and know nothing of each other.
ROWS = [
    ["base"],
    ["engine"],
    ["process"],
    ["net", "bus"],
    ["stomp", "wamp", "noam"],
    ["hub"],
    ["hawser.hpp"],  # the header that includes all the others
    ["bench"],  # its load generator is also `hawser bench`
    ["apps", "fuzz", "examples", "tests"],
]
RANK = {layer: rank for rank, row in enumerate(ROWS) for layer in row}
OUTER = ROWS[-2] + ROWS[-1]  # programs, which may include outside libraries as they like
FOLDERS = ["hawser"] + OUTER

# (what is included, path prefixes that may, why). Tests beside a source count as that source.
OUTSIDE = [
    (r"liburing\.h|liburing/.*", ["hawser/engine/uring", "bench/"], "io_uring is one engine's affair"),
    (r"sys/epoll\.h", ["hawser/engine/", "bench/"], "nothing waits outside the engine"),
    (r"openssl/.*", ["hawser/net/tls", "hawser/hub/password_hash.cpp", "tests/", "bench/"],
     "TLS is one transport's affair, passwords are one file's"),
    (r"wslay/.*", ["hawser/net/websocket/"], "WebSocket frames are one transport's affair"),
    (r"zlib\.h", ["hawser/net/websocket/", "hawser/stomp/gunzip."],
     "compression is permessage-deflate's affair, and that of STOMP bodies"),
    (r"boost/.*", ["hawser/net/websocket/detail/http_head.cpp"],
     "slow to compile, so one translation unit has it"),
    (r"sqlite3\.h", ["hawser/bus/detail/sqlite", "bench/"],
     "SQLite is the store's affair"),
    (r"spdlog/.*", ["hawser/base/log.cpp"], "lines are written by base/log, nowhere else"),
    (r"toml\+\+/.*|toml\+\+\.h", ["hawser/hub/", "apps/"], "configuration is the hub's affair"),
    (r"prometheus/.*", ["hawser/hub/detail/metrics_page.cpp"], "one page of text knows the format"),
    (r"nlohmann/.*", ["hawser/hub/", "apps/", "bench/"], "JSON is the observer's and the reports' affair"),
    (r"n?curses\.h", ["apps/hawser/observe_screen.cpp"], "the terminal is one file's affair"),
    (r"CLI/.*", ["apps/", "bench/", "examples/"], "the command line belongs to programs"),
    (r"benchmark/.*", ["bench/"], "benchmarks stand in bench/"),
]
# Every user would compile these and need them installed: .cpp files, `detail/` and the outer
# folders only.
NOT_IN_HEADERS = re.compile(r"(fmt|nlohmann|toml\+\+|spdlog|liburing|openssl|sqlite3|CLI|wslay|zlib|boost|prometheus|curses)"
                            r"(/|\.h).*")
TEST_ONLY = re.compile(r"(gtest|gmock|rapidcheck)(/|\.h).*")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    """The layer of a repository path, or None when it is in no layer we know."""
    parts = path.split("/")
    name = parts[1] if parts[0] == "hawser" and len(parts) > 1 else parts[0]
    return name if name in RANK else None


def check_include(path, quote, target):
    """What is wrong with `path` including `target`, or None."""
    source = layer_of(path)
    if source is None:
        return f"{path.split('/')[1]} is no layer; add it to ROWS in scripts/check_layers.py"
    if quote == '"':
        if path.startswith("hawser/"):
            return f'"{target}" is named from the file; name it from the root: <hawser/LAYER/...>'
        resolved = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if resolved.startswith("hawser/") or target.startswith("hawser/"):
            return f'"{target}" is a library header; write #include <hawser/...>'
        return None
    if target.split("/")[0] in FOLDERS and "/" in target:
        return check_arrow(path, source, target)
    return check_outside(path, source, target)


def is_test(path):
    """Tests, and what several tests of a layer share in its folder testing/."""
    return path.endswith(".test.cpp") or "/testing/" in path


def check_arrow(path, source, target):
    if "/testing/" in target and not is_test(path) and source not in OUTER:
        return f"{source} -> <{target}>: shared by tests; allowed in *.test.cpp, testing/ and tests/"
    below = layer_of(target)
    if below is None:
        return f"{source} -> {target}: no such layer"
    if source == below:
        return None
    arrow = f"{source} -> {below}"
    if RANK[source] == RANK[below]:
        lower = ROWS[RANK[source] - 1][0]
        return (f"{arrow}: they stand side by side and do not know each other; move what both need "
                f"down to {lower}, or join them above")
    if RANK[below] > RANK[source]:
        return (f"{arrow}: points up; move what is needed down to {source} or below, or let "
                f"{below} hand it in (an interface, a callback, a message)")
    if "/detail/" in target:
        return (f"{arrow}: {target} is internal to {below}; use its public header, or make "
                f"the role public by moving it out of detail/")
    return None


def check_outside(path, source, target):
    for pattern, places, why in OUTSIDE:
        if re.fullmatch(pattern, target) and not any(path.startswith(place) for place in places):
            return f"{source} -> <{target}>: {why}; allowed in {', '.join(places)}"
    if source in OUTER:
        return None
    if TEST_ONLY.fullmatch(target) and not is_test(path):
        return f"{source} -> <{target}>: a test library; allowed in *.test.cpp, testing/ and tests/"
    if NOT_IN_HEADERS.fullmatch(target) and path.endswith(".hpp") and "/detail/" not in path:
        return f"{source} -> <{target}>: every user would need it; include it in the .cpp or detail/"
    return None


def sources(root):
    for folder in FOLDERS:
        for directory, names, files in os.walk(os.path.join(root, folder)):
            names[:] = sorted(set(names) - {"build", "node_modules"})
            for name in sorted(files):
                if name.endswith((".hpp", ".cpp", ".h", ".cc")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def check(root):
    """All violations under `root`, as "file:line: what, and how to mend it"."""
    problems = []
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                found = INCLUDE.match(line)
                problem = found and check_include(path, found[1], found[2])
                if problem:
                    problems.append(f"{path}:{number}: {problem}")
    return problems


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    problems = check(root)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
