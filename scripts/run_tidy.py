#!/usr/bin/env python3
"""Runs clang-tidy over every source file of ours, and only over what changed since it was clean.

A file's result is kept under its content: the file, the project headers it reaches, its compile
command, .clang-tidy and the tool's version. Only clean results are kept.

    scripts/run_tidy.py --build build/lint [--jobs N] [FILE...]
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
FOLDERS = ("hawser", "apps", "bench", "fuzz", "examples", "tests")
INCLUDE = re.compile(rb'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


@functools.lru_cache(maxsize=None)
def read(path):
    with open(path, "rb") as file:
        return file.read()


@functools.lru_cache(maxsize=None)
def project_includes(path):
    """The project's own headers that `path` names, by their real paths."""
    found = []
    for name in INCLUDE.findall(read(path)):
        for base in (ROOT, os.path.dirname(path)):
            candidate = os.path.normpath(os.path.join(base, name.decode("utf-8", "replace")))
            if candidate.startswith(ROOT + os.sep) and os.path.isfile(candidate):
                found.append(candidate)
                break
    return found


def reached(path):
    """`path` and every project header behind it, sorted."""
    seen, waiting = set(), [path]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += project_includes(current)
    return sorted(seen)


def key_of(entry, common):
    digest = hashlib.sha256(common)
    # The same sources in another folder have the same result.
    digest.update(entry["command"].replace(ROOT, "ROOT").encode())
    for path in reached(entry["file"]):
        digest.update(os.path.relpath(path, ROOT).encode() + b"\0" + read(path) + b"\0")
    return digest.hexdigest()


def entries(build, wanted):
    """Compile commands of our sources, each file once."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    result = {}
    for entry in commands:
        path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
        inside = os.path.relpath(path, ROOT)
        if inside.split(os.sep)[0] in FOLDERS and (not wanted or inside in wanted):
            result.setdefault(path, {"file": path, "command": entry["command"]})
    return [result[path] for path in sorted(result)]


# clang's own warnings: the compilers' business, and clang-tidy looks into system headers for them.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-deprecated-declarations"]
# A needless copy in a test costs nobody anything.
EXTRA_IN_TESTS = ["--checks=-performance-*"]


def tidy(tool, build, entry):
    started = time.monotonic()
    is_test = entry["file"].endswith(".test.cpp") or "/tests/" in entry["file"]
    done = subprocess.run(
        [tool, "--quiet", "-p", build, *EXTRA, *(EXTRA_IN_TESTS if is_test else []), entry["file"]],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False)
    # stderr holds only counts of suppressed warnings, unless the tool itself failed.
    output = done.stdout if done.stdout.strip() else done.stderr
    return done.returncode == 0, output.strip(), time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tool", default="clang-tidy-19")
    parser.add_argument("files", nargs="*", help="only these, named from the root")
    options = parser.parse_args()

    version = subprocess.run([options.tool, "--version"], capture_output=True, check=True).stdout
    common = version + read(os.path.join(ROOT, ".clang-tidy")) + read(os.path.realpath(__file__))
    cache = os.path.join(ROOT, "build", "tidy-cache")
    os.makedirs(cache, exist_ok=True)

    todo = []
    every = entries(options.build, set(options.files))
    for entry in every:
        mark = os.path.join(cache, key_of(entry, common))
        if not os.path.exists(mark):
            todo.append((entry, mark))
    print(f"clang-tidy: {len(every)} files, {len(every) - len(todo)} known to be clean", flush=True)

    failed = 0
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(tidy, options.tool, options.build, entry): (entry, mark)
                   for entry, mark in todo}
        for job in concurrent.futures.as_completed(running):
            entry, mark = running[job]
            clean, output, seconds = job.result()
            name = os.path.relpath(entry["file"], ROOT)
            print(f"{'ok    ' if clean else 'FAILED'} {seconds:5.1f} s  {name}", flush=True)
            if clean:
                with open(mark, "w", encoding="utf-8") as file:
                    file.write(name + "\n")
            else:
                failed += 1
                print(output, flush=True)
    print(f"clang-tidy: {failed} of {len(every)} files with findings, "
          f"{time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
