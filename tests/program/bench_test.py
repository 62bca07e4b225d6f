#!/usr/bin/env python3
"""`hawser bench stomp`: every scenario comes through with a small load, its report says what its exit
code says, and what is wrong on its command line is named. How fast anything is, is not asked here."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import program  # noqa: E402
from program import LIMIT, Case, Program  # noqa: E402

SMALL = ("--rounds", "1", "--length", "50ms", "--warm-up", "20ms", "--subscribers", "3", "--topics", "20",
         "--subscriptions", "200", "--idle", "20", "--heart-beat", "1s")


class BenchStomp(Case):
    def run_bench(self, *words):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        report, picture = os.path.join(folder, "report.json"), os.path.join(folder, "picture.svg")
        done = subprocess.run([program.hawser, "bench", "stomp", *SMALL, "--folder", folder, "--json", report,
                               "--svg", picture, *words], capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        with open(report, encoding="utf-8") as file:
            found = json.load(file)
        self.assertEqual(done.returncode, 0 if found["good"] else 1)
        with open(picture, encoding="utf-8") as file:
            self.assertTrue(file.read().startswith("<svg "))
        self.assertEqual(sorted(os.listdir(folder)), ["picture.svg", "report.json"])
        return found, done

    def assert_sound(self, scenario):
        for broker in scenario["brokers"]:
            self.assertNotIn("error", broker, scenario)
            self.assertGreater(broker["per_second"], 0, scenario)

    def test_every_scenario(self):
        found, done = self.run_bench()
        names = [scenario["name"] for scenario in found["scenarios"]]
        self.assertEqual(names, ["transient", "fan-out", "persistent", "stored", "routing", "slow", "idle"])
        for scenario in found["scenarios"]:
            self.assert_sound(scenario)
        self.assertEqual({bar["scenario"] for bar in found["bars"]}, set(names))
        for name in names:
            self.assertIn(f"\n{name}: ", done.stdout)

    def test_another_broker(self):
        with Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none") as hub:
            host, port = hub.address("stomp")
            found, _ = self.run_bench("--only", "transient", "--server", f"other={host}:{port}")
        (scenario,) = found["scenarios"]
        self.assert_sound(scenario)
        self.assertEqual([broker["name"] for broker in scenario["brokers"]],
                         ["hawser", "hawser, 1 scheduler", "other"])
        self.assertGreater(scenario["brokers"][2]["cpu_us"], 0)

    def test_wrong_words(self):
        for words, says in ((("--only", "jump"), "'jump'"), (("--server", "x"), "x"),
                            (("--length", "0s"), "above 0"), (("--window", "70000"), "'70000'")):
            done = subprocess.run([program.hawser, "bench", "stomp", *words], capture_output=True, text=True,
                                  timeout=LIMIT, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    program.main()
