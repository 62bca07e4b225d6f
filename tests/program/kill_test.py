#!/usr/bin/env python3
"""The hub is killed with SIGKILL at random moments under persistent load, and keeps every promise:

- a message whose RECEIPT came is there afterwards, once, exactly as sent, in its sender's order;
- one whose ACK was confirmed does not come back, and what was refused or lost never appears later;
- a transaction happened or did not.

HAWSER_KILLS=N kills N times (10 unless said), HAWSER_SEED=N begins with that seed. A kill takes 1 to 5
seconds; the whole may take two minutes and 18 seconds for each, which the test minds itself: ctest, which
cannot know how many there are, allows a day.
"""

import os
import random
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import program  # noqa: E402
from program import LIMIT, Case, Program  # noqa: E402

KILLS = int(os.environ.get("HAWSER_KILLS", "10"))
SEED = int(os.environ.get("HAWSER_SEED", "1"))
WHOLE = 120 + 18 * KILLS  # seconds, several times what it needs
WINDOW = 256  # requests of one connection without an answer
LEFT = 500  # messages that are left unsettled in a queue: below the prefetch


def body_of(number):
    """Any octets, the same whenever asked."""
    chance = random.Random(number)
    size = 300_000 if chance.random() < 0.002 else chance.randrange(1500)
    return chance.randbytes(size)


NOTE = "a\\cb\\\\c\\nd\\re"  # escaped: a colon, a backslash, LF and CR


def send_frame(queue, number, producer, extra=""):
    body = body_of(number)
    head = (f"SEND\ndestination:/queue/{queue}\npersistent:true\nnumber:{number}\n"
            f"producer:{producer}\nnote:{NOTE}\n{extra}content-length:{len(body)}\n\n")
    return head.encode() + body + b"\0"


class Peer:
    """A connection whose frames are taken as they come."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=LIMIT)
        self.output = bytearray(b"CONNECT\naccept-version:1.2\nhost:h\n\n\0")
        self.input = bytearray()
        self.awaited = 0  # answers
        self.over = False

    def write(self, octets):
        self.output += octets

    def flush_some(self):
        if self.output:
            try:
                sent = self.socket.send(self.output)
                del self.output[:sent]
            except BlockingIOError:
                pass
            except (ConnectionError, BrokenPipeError):
                self.output.clear()

    def take(self):
        """The frames that are there: (command, headers, body)."""
        try:
            octets = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionError:
            octets = b""
        self.over = self.over or not octets
        self.input += octets
        at = 0
        while True:
            while self.input[at:at + 1] in (b"\n", b"\r"):
                at += 1
            end = self.input.find(b"\n\n", at)
            if end < 0:
                break
            lines = self.input[at:end].decode().split("\n")
            headers = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                headers.setdefault(name, value)
            start = end + 2
            if "content-length" in headers:
                stop = start + int(headers["content-length"])
            else:
                stop = self.input.find(b"\0", start)
            if stop < 0 or stop >= len(self.input):
                break
            yield lines[0], headers, bytes(self.input[start:stop])
            at = stop + 1
        del self.input[:at]


class Ledger:
    """What the outside knows, through all kills."""

    def __init__(self):
        self.next = 0
        self.open = {}  # number -> queue: asked for, not answered
        self.confirmed = {}  # number -> queue
        self.settling = set()
        self.gone = set()  # settled, or known not to be there: never to be seen again
        self.pairs = {}  # of transactions that were not answered: number -> number
        self.seen = {"kept": 0, "settled": 0, "undecided": 0, "pairs": 0}

    def number(self):
        self.next += 1
        return self.next


class Kill(Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hawser-kill-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.ledger = Ledger()

    def hub(self):
        return Program("hub", "--stomp", "127.0.0.1:0", "--packet", "none", "--data", self.folder,
                       expect_status=-signal.SIGKILL)

    def test_every_promise_outlives_every_kill(self):
        deadline = time.monotonic() + WHOLE
        for kill in range(KILLS + 1):
            self.assertLess(time.monotonic(), deadline, f"{kill} of {KILLS} kills took {WHOLE} s")
            chance = random.Random(SEED * 1_000_003 + kill)
            with self.subTest(seed=SEED, kill=kill), self.hub() as hub:
                self.verify(hub.address("stomp"), settle_all=kill % 2 == 0)
                if kill < KILLS:
                    self.load(hub, chance)
                else:
                    hub.process.kill()
        seen = self.ledger.seen
        print(f"{KILLS} kills: {seen}", file=sys.stderr)
        self.assertGreater(seen["kept"], KILLS, "nothing was ever there after a kill")
        self.assertGreater(seen["settled"], KILLS)
        self.assertGreater(seen["undecided"], 0, "no kill met anything under way")

    def message(self, headers, body):
        """Its number, if it is as it was sent."""
        number = int(headers["number"])
        self.assertEqual(body, body_of(number), f"the body of {number}")
        self.assertEqual(headers["note"], NOTE)
        self.assertEqual(headers["persistent"], "true")
        self.assertNotIn(number, self.ledger.gone, "it comes back")
        return number

    # ---- what is there after a kill ------------------------------------------------------------

    def verify(self, address, settle_all):
        ledger = self.ledger
        there, settled, last_of, ended, left_there = {}, set(), {}, set(), {}
        peer = Peer(address)
        queues = ("work", "left", "right")
        for queue in queues:
            peer.write(f"SUBSCRIBE\nid:{queue}\ndestination:/queue/{queue}\n"
                       f"ack:client-individual\n\n\0".encode())
            # Behind all that is there.
            peer.write(f"SEND\ndestination:/queue/{queue}\nend:{queue}\n\n\0".encode())

        def frame(command, headers, body):
            if command == "RECEIPT":
                peer.awaited -= 1
                settled.add(int(headers["receipt-id"]))
                return
            self.assertIn(command, ("CONNECTED", "MESSAGE"), (headers, body))
            if command == "CONNECTED":
                return
            if "end" in headers:
                ended.add(headers["end"])
                peer.write(f"ACK\nid:{headers['ack']}\n\n\0".encode())
                return
            number = self.message(headers, body)
            queue = headers["destination"].removeprefix("/queue/")
            self.assertNotIn(number, there, "it is there twice")
            self.assertIn(number, set(ledger.open) | set(ledger.confirmed), "it was never sent")
            there[number] = queue
            self.assertEqual((ledger.open | ledger.confirmed)[number], queue)
            sender = (queue, headers["producer"])
            self.assertGreater(number, last_of.get(sender, 0), "out of its sender's order")
            last_of[sender] = number
            if not settle_all and number % 2 and left_there.get(queue, 0) < LEFT:
                left_there[queue] = left_there.get(queue, 0) + 1
            else:
                peer.awaited += 1
                peer.write(f"ACK\nid:{headers['ack']}\nreceipt:{number}\n\n\0".encode())

        self.run_peers({peer: frame}, lambda: len(ended) == 3 and peer.awaited == 0)
        for number, queue in ledger.confirmed.items():
            if number not in there and number not in ledger.settling:
                self.fail(f"{number} of {queue} was confirmed and is lost")
        for left, right in ledger.pairs.items():
            self.assertEqual(left in there, right in there, "half of a transaction")
            ledger.seen["pairs"] += 1
        ledger.seen["kept"] += len(there)
        ledger.seen["undecided"] += len(ledger.open) + len(ledger.settling)
        # What was undecided is decided now.
        ledger.gone |= settled | ((set(ledger.open) | ledger.settling) - set(there))
        ledger.confirmed = {n: q for n, q in there.items() if n not in settled}
        ledger.open, ledger.settling, ledger.pairs = {}, set(), {}
        peer.write(b"DISCONNECT\nreceipt:0\n\n\0")
        peer.awaited = 1
        self.run_peers({peer: lambda *_: None}, lambda: peer.over)
        peer.socket.close()

    # ---- load until the kill -------------------------------------------------------------------

    def load(self, hub, chance):
        ledger = self.ledger
        address = hub.address("stomp")
        producers = [Peer(address), Peer(address)]
        consumer = Peer(address)
        consumer.write(b"SUBSCRIBE\nid:1\ndestination:/queue/work\nack:client-individual\n\n\0")

        def produce(name, peer):
            while peer.awaited < WINDOW and len(peer.output) < 1 << 20:
                peer.awaited += 1
                number = ledger.number()
                if chance.random() < 0.05:
                    other = ledger.number()
                    ledger.open[number], ledger.open[other] = "left", "right"
                    ledger.pairs[number] = other
                    within = f"transaction:{number}\n"
                    peer.write(f"BEGIN\n{within}\n\0".encode())
                    peer.write(send_frame("left", number, name, within))
                    peer.write(send_frame("right", other, name, within))
                    peer.write(f"COMMIT\n{within}receipt:pair {number}\n\n\0".encode())
                else:
                    ledger.open[number] = "work"
                    peer.write(send_frame("work", number, name, f"receipt:{number}\n"))

        def produced(name, peer):
            def frame(command, headers, body):
                if command == "CONNECTED":
                    return
                self.assertEqual(command, "RECEIPT", (headers, body))
                peer.awaited -= 1
                receipt = headers["receipt-id"]
                numbers = [int(receipt.split()[-1])]
                if receipt.startswith("pair"):
                    numbers.append(ledger.pairs[numbers[0]])
                for number in numbers:
                    queue = ledger.open.pop(number)
                    if number not in ledger.gone:  # its ACK may have been confirmed first
                        ledger.confirmed[number] = queue
            return frame

        def consumed(command, headers, body):
            if command == "CONNECTED":
                return
            if command == "RECEIPT":
                number = int(headers["receipt-id"])
                ledger.settling.discard(number)
                ledger.confirmed.pop(number, None)
                ledger.gone.add(number)
                ledger.seen["settled"] += 1
                return
            self.assertEqual(command, "MESSAGE", (headers, body))
            number = self.message(headers, body)
            if chance.random() < 0.8:
                ledger.settling.add(number)
                consumer.write(f"ACK\nid:{headers['ack']}\nreceipt:{number}\n\n\0".encode())

        handlers = {consumer: consumed}
        for name, peer in enumerate(producers):
            handlers[peer] = produced(name, peer)
        deadline = time.monotonic() + chance.uniform(0.02, 0.7)

        def step():
            for name, peer in enumerate(producers):
                produce(name, peer)
            return time.monotonic() >= deadline

        self.run_peers(handlers, step)
        hub.process.kill()
        # What had left the hub before counts: it was said.
        for peer in handlers:
            peer.output.clear()
        self.run_peers(handlers, lambda: all(peer.over for peer in handlers))
        # A receipt of a message that is still to be settled keeps both open.
        for peer in handlers:
            peer.socket.close()

    def run_peers(self, handlers, done):
        deadline = time.monotonic() + LIMIT
        with selectors.DefaultSelector() as selector:
            for peer in handlers:
                peer.socket.setblocking(False)
                selector.register(peer.socket, selectors.EVENT_READ, peer)
            while not done():
                self.assertLess(time.monotonic(), deadline, "the hub does not answer")
                for peer in handlers:
                    peer.flush_some()
                for key, _ in selector.select(0.001 if any(p.output for p in handlers) else 0.02):
                    for frame in key.data.take():
                        handlers[key.data](*frame)
                    if key.data.over:
                        selector.unregister(key.data.socket)


if __name__ == "__main__":
    program.main()
