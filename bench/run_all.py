#!/usr/bin/env python3
"""Takes every figure that the network layer is held to, in one go of less than ten minutes:

    bench/run_all.py [--build build/release] [--json all.json] [--rounds 5] [--seconds 1] [--only SUITE]…

Each suite is one run of hawser_bench_echo, in which our servers and those they are compared with take
turns. The table at the end holds each bar beside what was measured; the status is 1 when one is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

ENGINES = ("uring", "epoll")
ECHOES = ("64x1", "1000x1", "64x16")


def own(build, engine, *more):
    return (f"hawser {engine}", f"HAWSER_ENGINE={engine} '{os.path.join(build, 'hawser')}' serve echo --listen "
            "127.0.0.1:0 --length-bytes 2 --schedulers 1 --max-connections 100000 --log-level error "
            + " ".join(more))


class Runner:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.reports = {}
        self.bars = []  # (suite, what, measured, bar)

    def run(self, suite, scenarios, *words):
        """One run of the program; its report, as JSON has it."""
        path = os.path.join(self.folder, suite + ".json")
        command = [os.path.join(self.arguments.build, "bench", "hawser_bench_echo"), "--rounds",
                   str(self.arguments.rounds), "--seconds", str(self.arguments.seconds), "--warmup", "0.3",
                   "--json", path, *words]
        for scenario in scenarios:
            command += ["--scenario", scenario]
        print(f"--- {suite}", file=sys.stderr, flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        print(done.stdout, flush=True)
        with open(path, encoding="utf-8") as file:
            self.reports[suite] = json.load(file)
        return {scenario["name"]: {server["name"]: server for server in scenario["servers"]}
                for scenario in self.reports[suite]["scenarios"]}

    def bar(self, suite, what, measured, most):
        self.bars.append((suite, what, measured, most))

    def own_servers(self, option="--server", *more, name="{}"):
        words = []
        for engine in ENGINES:
            own_name, command = own(self.arguments.build, engine, *more)
            words += [option, f"{name.format(own_name)}={command}"]
        return words

    @staticmethod
    def only(*names):
        return [word for name in names for word in ("--only", name)]

    FLOORS = ("bare epoll", "bare io_uring")
    OURS = tuple(f"hawser {engine}" for engine in ENGINES)

    def plain(self):
        found = self.run("plain", (*ECHOES, "15000x1"), *self.own_servers(), *self.only(*self.FLOORS, *self.OURS))
        for name in self.OURS:
            for scenario in ECHOES:
                self.bar("plain", f"{name}, {scenario}, to the bare loop", ratio(found[scenario][name]), 1.15)
            self.bar("plain", f"{name}, 15,000 connections to 1,000",
                     quotient(found["15000x1"][name], found["1000x1"][name]), 1.3)
        for name in self.FLOORS:
            self.bar("plain", f"{name}, 15,000 connections to 1,000",
                     quotient(found["15000x1"][name], found["1000x1"][name]), None)

    def tls(self):
        found = self.run("tls", ECHOES, "--tls", *self.own_servers("--server", *self.certificate()))
        for name in self.OURS:
            for scenario in ECHOES:
                self.bar("tls", f"{name}, {scenario}, to bare OpenSSL", ratio(found[scenario][name]), 1.2)

    def websocket(self):
        words = self.own_servers() + self.own_servers("--websocket-server", "--websocket", "/",
                                                      name="{} websocket")
        names = self.OURS + tuple(f"{name} websocket" for name in self.OURS)
        found = self.run("websocket", ECHOES, *words, *self.only(*names),
                         *(word for name in self.OURS for word in ("--floor", name)))
        for name in self.OURS:
            for scenario in ECHOES:
                self.bar("websocket", f"{name}, {scenario}, to the framed echo",
                         quotient(found[scenario][f"{name} websocket"], found[scenario][name]), 1.3)

    def accept(self):
        found = self.run("accept", ("accept-close",), *self.own_servers(),
                         *self.only(*self.FLOORS, *self.OURS, *self.erlang()))["accept-close"]
        for name in self.OURS:
            self.bar("accept", f"{name} to the bare loop", ratio(found[name]), 1.25)
            for other in self.erlang():
                self.bar("accept", f"{name} to {other}", quotient(found[name], found[other]), 1 / 3)
        for other in self.erlang():
            least = min(found[name].get("median", 0) for name in self.FLOORS)
            self.bar("accept", f"the cheaper bare loop to {other}", least / found[other]["median"], None)

    def memory(self):
        words = self.own_servers() + self.own_servers("--websocket-server", "--websocket", "/",
                                                      name="{} websocket")
        names = self.OURS + tuple(f"{name} websocket" for name in self.OURS)
        found = self.run("memory", ("idle", "burst"), *words, *self.only(*names))
        for name in names:
            self.bar("memory", f"{name}, bytes an idle connection", found["idle"][name].get("median"),
                     1024 if name.endswith("websocket") else 640)
        for name in self.OURS:
            self.bar("memory", f"{name}, after a burst to idle", found["burst"][name].get("median"), 1.1)
        found = self.run("memory of tls", ("idle", "burst"), "--tls", "--idle-few", "1000", "--idle-many", "6000",
                         *self.own_servers("--server", *self.certificate()), *self.only(*self.OURS))
        for name in self.OURS:
            self.bar("memory", f"{name} TLS, bytes an idle connection", found["idle"][name].get("median"), 24576)
            self.bar("memory", f"{name} TLS, after a burst to idle", found["burst"][name].get("median"), 1.1)

    def erlang(self):
        folder = os.path.join(self.arguments.build, "bench", "servers")
        return tuple(name for name, file in (("erlang", "erlang_echo"), ("erlang otp", "erlang_otp_echo"))
                     if os.path.exists(os.path.join(folder, file + ".escript")))

    def certificate(self):
        certificate, key = os.path.join(self.folder, "cert.pem"), os.path.join(self.folder, "key.pem")
        if not os.path.exists(key):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "2", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost"],
                           check=True, capture_output=True)
        return "--tls-certificate", f"'{certificate}'", "--tls-key", f"'{key}'"

    def table(self):
        """Every bar, whether it is met; what has no bar stands there to compare with."""
        lines = []
        met = True
        for suite, what, measured, most in self.bars:
            bad = most is not None and (measured is None or measured > most)
            met = met and not bad
            show = "none" if measured is None else f"{measured:,.0f}" if measured > 100 else f"{measured:.3f}"
            limit = "" if most is None else f"{most:,.0f}" if most > 100 else f"{most:.3f}"
            lines.append(f"{suite:<10} {what:<55} {show:>9} {limit:>9}  {'MISSED' if bad else ''}".rstrip())
        return lines, met


def ratio(server):
    return server.get("ratio_to_floor")


def quotient(left, right):
    return left["median"] / right["median"] if left.get("median") and right.get("median") else None


SUITES = ("plain", "tls", "websocket", "accept", "memory")


def main():
    parser = argparse.ArgumentParser(description="Every figure of the network layer, with its bar.")
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--json", help="where all figures go")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", action="append", choices=SUITES, help="only this suite; may be repeated")
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(arguments, folder)
        for suite in arguments.only or SUITES:
            getattr(runner, suite)()
    lines, met = runner.table()
    print("\n".join([f"{'suite':<10} {'':<55} {'measured':>9} {'at most':>9}", *lines]))
    print(f"{time.monotonic() - begun:.0f} s")
    if arguments.json:
        bars = [dict(suite=suite, what=what, measured=measured, at_most=most)
                for suite, what, measured, most in runner.bars]
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"bars": bars, "reports": runner.reports}, file, indent=2)
            file.write("\n")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
