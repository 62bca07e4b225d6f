"""A STOMP client under orders, one process each, ended by closing its stdin: ours (stomp_peer.cpp), or
a foreign one that takes the same orders (stomp_peer.js)."""

import collections
import json
import os
import queue
import subprocess
import threading
import time
import zlib

import program
from program import LIMIT

OCTETS = bytes(range(256))


class Message:
    def __init__(self, event):
        self.headers = {}
        for name, value in event["headers"]:
            self.headers.setdefault(_octets(name).decode(), _octets(value).decode())
        self.size, self.crc, self.parts = event["size"], event["crc"], event["parts"]
        self.body = None if event["body"] is None else _octets(event["body"])
        self.ticket = {name: event[name] for name in ("session", "subscription", "number")}

    def is_pattern(self, size):
        """The body is what octets=SIZE of an order makes."""
        return self.size == size and self.crc == zlib.crc32(pattern(size))

    def __repr__(self):
        return f"{self.headers} {self.body!r}"


def pattern(size):
    return (OCTETS * (size // 256 + 1))[:size]


def _octets(text):
    return text.encode("latin-1")


def _as_text(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value.encode().decode("latin-1")
    if isinstance(value, dict):
        return {_as_text(key): _as_text(each) for key, each in value.items()}
    return value


class StompPeer:
    """`StompPeer(address, engine="uring", version="1.1", login=…)`; words are those of stomp_peer.cpp.
    Another `command` is a foreign client that takes the same orders."""

    def __init__(self, address, engine="uring", command=None, environment=None, **words):
        path = os.path.join(os.path.dirname(program.peer), "stomp_peer")
        arguments = [f"{name.replace('_', '-')}={value}" for name, value in words.items()]
        self.process = subprocess.Popen(
            [*(command or [path]), "address=%s:%d" % address, *arguments], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "HAWSER_ENGINE": engine, **(environment or {})})
        self.events = queue.Queue()
        self.stashed = collections.defaultdict(collections.deque)
        self.orders = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))
        self.events.put({"event": "gone"})

    def next(self, deadline):
        """The next event of any kind, stashed ones aside."""
        try:
            return self.events.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"it did not come; stashed are {dict(self.stashed)}") from None

    def event(self, kind):
        """The next event of that kind; what comes before it is kept for whoever asks for it."""
        deadline = time.monotonic() + LIMIT
        while not self.stashed[kind]:
            event = self.next(deadline)
            self.stashed[event["event"]].append(event)
            if event["event"] == "gone" and kind != "gone":
                raise AssertionError(f"{kind} awaited, but it ended: {dict(self.stashed)}")
        return self.stashed[kind].popleft()

    def ready(self):
        self.connected = Message({**self.event("connected"), "size": 0, "crc": 0, "parts": 0, "body": None,
                                  "session": 0, "subscription": 0, "number": 0}).headers
        self.event("ready")
        return self

    def order(self, what, **words):
        """Without waiting: the order's number, for answer()."""
        self.orders += 1
        if "transaction" in words and words["transaction"] is None:
            del words["transaction"]
        text = json.dumps({"do": what, "n": self.orders, **_as_text(words)})
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        return self.orders

    def answer(self, number):
        deadline = time.monotonic() + LIMIT
        while True:
            for event in self.stashed["done"]:
                if event["n"] == number:
                    self.stashed["done"].remove(event)
                    return event
            event = self.next(deadline)
            self.stashed[event["event"]].append(event)
            if event["event"] == "gone":
                raise AssertionError(f"an answer awaited, but it ended: {dict(self.stashed)}")

    def ask(self, what, **words):
        """Carries it out and answers its value."""
        event = self.answer(self.order(what, **words))
        if "error" in event:
            raise AssertionError(f"{what} {words}: {event['error']}; {dict(self.stashed)}")
        return event.get("value", event)

    def refused(self, what, **words):
        """The text of the error that it must end in."""
        event = self.answer(self.order(what, **words))
        assert "error" in event, event
        return event["error"]

    def send(self, destination, body=b"", **words):
        self.ask("send", destination=destination, body=body, **{"confirm": "receipt", **words})

    def subscribe(self, destination, ack="auto", **words):
        return self.ask("subscribe", destination=destination, ack=ack, **words)

    def message(self):
        return Message(self.event("message"))

    def messages(self, count):
        return [self.message() for _ in range(count)]

    def bodies(self, count):
        return [message.body for message in self.messages(count)]

    def ack(self, message, **words):
        return self.ask("settle", **message.ticket, **words)

    def nack(self, message, **words):
        return self.ask("settle", good=False, **message.ticket, **words)

    def close(self):
        """Says goodbye and ends well; answers the messages that nobody asked for."""
        self.process.stdin.close()
        ended = self.event("ended")
        assert ended["reason"] == "normal", ended
        assert self.process.wait(LIMIT) == 0
        self.event("gone")
        return [Message(event).body for event in self.stashed["message"]]

    def kill(self):
        self.process.kill()
        self.process.wait()
