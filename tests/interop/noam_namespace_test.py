"""Lemmas and a host that find each other by limited broadcast, in a network namespace of their own:
processes on one wire (a tap device), the host's restart on another port, a wire that comes late.

Runs itself again inside a private user, network and process namespace, in which it is process 1: a
host that ends because its parent is process 1 (the original does) would not get far. Ends with 77
where no such namespace may be made.
"""

import fcntl
import os
import selectors
import signal
import struct
import subprocess
import sys
import time

LIMIT = 40.0
SKIPPED = 77


class Reader:
    """A program whose output is read line by line, within the limit."""

    def __init__(self, name, command):
        self.name = name
        self.seen = []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = b""

    def expect(self, part):
        """The first line from here on that has `part`."""
        end = time.monotonic() + LIMIT
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                while b"\n" in self.rest:
                    line, self.rest = self.rest.split(b"\n", 1)
                    self.seen.append(line.decode())
                    if part in self.seen[-1]:
                        return self.seen[-1]
                if time.monotonic() > end:
                    raise AssertionError(f"{self.name} did not say {part!r}: {self.seen}")
                selector.select(1.0)
                piece = self.process.stdout.read()
                if piece == b"":
                    raise AssertionError(f"{self.name} ended: {self.seen}")
                self.rest += piece or b""

    def write(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_wire():
    """An Ethernet of which we hold the other end, so that it counts as plugged in."""
    set_interface, tap_without_header = 0x400454CA, 0x1002
    held = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(held, set_interface, struct.pack("16sH22s", b"wire", tap_without_header, b""))
    return held


def plug_in():
    run("ip", "address", "add", "192.168.77.1/24", "brd", "+", "dev", "wire")
    run("ip", "link", "set", "wire", "up")


NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc")


def test(hawser):
    assert os.getpid() == 1
    run("ip", "link", "set", "lo", "up")
    wire = make_wire()
    programs = []

    def start(name, *command):
        programs.append(Reader(name, (hawser, "noam", *command)))
        return programs[-1]

    def host():
        program = start("host", "host", "--room", "lab", "--noam", "0.0.0.0:0", "--noam-http",
                        "none")
        line = program.expect("ready noam=0.0.0.0:")
        assert "noam-discovery=0.0.0.0:1030" in line, line
        return program

    try:
        # Without any network they meet over loopback, from the moment there is a wire over that.
        first = host()
        lonely = start("lonely", "lemma", "--guest", "lonely", "--room", "lab", "--hear", "light")
        lonely.expect("connected 127.0.0.1:")
        plug_in()
        lamp = start("lamp", "lemma", "--guest", "lamp", "--room", "lab", "--hear", "light")
        lamp.expect("connected 192.168.77.1:")
        desk = start("desk", "lemma", "--guest", "desk", "--room", "lab", "--hear", "state")
        web = start("web", "lemma", "--guest", "web", "--room", "lab", "--hear", "light", "echo",
                    "--transport", "websocket")
        desk.expect("connected 192.168.77.1:")
        web.expect("connected 192.168.77.1:8089")
        # Nobody confirms a registration over WebSocket: who hears itself is registered.
        web.write("echo 1")
        web.expect("web echo 1")
        desk.write('light {"on": true}')
        for hearer in (lamp, web, lonely):
            line = hearer.expect("desk light")
            assert line == 'desk light {"on": true}', line
        # The host comes back on another port: nobody is told, everybody finds it.
        assert first.end() == 0
        lamp.expect("waiting ")
        desk.expect("waiting ")
        host()
        lamp.expect("connected 192.168.77.1:")
        desk.expect("connected 192.168.77.1:")
        desk.write("light 2")
        lamp.expect("desk light 2")
        desk.write("not json {")
        desk.expect("not spoken: ")
        # Who only speaks ends by itself when a host has it all.
        switch = start("switch", "lemma", "--guest", "switch", "--room", "lab")
        switch.write("light 3")
        switch.process.stdin.close()
        lamp.expect("switch light 3")
        assert switch.process.wait(timeout=LIMIT) == 0
    finally:
        for program in programs:
            program.end()
        os.close(wire)


def main():
    arguments = sys.argv[1:]
    hawser = os.path.abspath(arguments[arguments.index("--hawser") + 1])
    if "--inside" in arguments:
        test(hawser)
        return 0
    probe = subprocess.run([*NAMESPACE, "ip", "tuntap", "add", "dev", "probe", "mode", "tap"],
                           capture_output=True, check=False)
    if probe.returncode != 0:
        print("no private network namespace here:", probe.stderr.decode().strip())
        return SKIPPED
    return subprocess.run([*NAMESPACE, sys.executable, "-B", os.path.abspath(__file__), "--hawser",
                           hawser, "--inside"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
