"""A bare STOMP peer over a socket, for what no client library would send."""

import socket

from program import LIMIT


class Frame:
    def __init__(self, octets):
        head, _, self.body = octets.partition(b"\n\n")
        lines = head.split(b"\n")
        self.command = lines[0].decode()
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.headers.setdefault(name.decode(), value.decode())

    def __repr__(self):
        return f"{self.command} {self.headers} {self.body!r}"


class RawStomp:
    """`with RawStomp(address) as peer:`"""

    def __init__(self, address, channel=None):
        """`channel`: what to speak through instead of a plain connection."""
        self.socket = channel or socket.create_connection(address, timeout=LIMIT)
        self.rest = b""
        self.beats = 0  # line ends between frames, seen so far

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def write(self, octets):
        self.socket.sendall(octets)

    def send(self, command, body=b"", **headers):
        """A frame; `_` in a header's name stands for `-`. Headers are not escaped."""
        lines = [command] + [f"{name.replace('_', '-')}:{value}" for name, value in headers.items()]
        if body:
            lines.append(f"content-length:{len(body)}")
        self.write("\n".join(lines).encode() + b"\n\n" + body + b"\0")

    def expect(self, command, **headers):
        """The next frame, which must be of that kind."""
        frame = self.frame()
        assert frame and frame.command == command, f"{command} awaited, but {frame} came"
        for name, value in headers.items():
            assert frame.headers.get(name.replace("_", "-")) == value, f"{name}={value} awaited: {frame}"
        return frame

    def ask(self, command, body=b"", **headers):
        """The same, and waits for its RECEIPT."""
        self.receipts = getattr(self, "receipts", 0) + 1
        self.send(command, body, receipt=str(self.receipts), **headers)
        return self.expect("RECEIPT", receipt_id=str(self.receipts))

    def login(self, version="1.2", beats="0,0", **headers):
        more = "".join(f"{name.replace('_', '-')}:{value}\n" for name, value in headers.items())
        self.write(f"CONNECT\naccept-version:{version}\nhost:h\nheart-beat:{beats}\n{more}\n\0".encode())
        frame = self.frame()
        assert frame and frame.command == "CONNECTED", frame
        return frame

    def _more(self):
        octets = self.socket.recv(65536)
        self.rest += octets
        return bool(octets)

    def _strip(self):
        stripped = self.rest.lstrip(b"\r\n")
        self.beats += self.rest[:len(self.rest) - len(stripped)].count(b"\n")
        self.rest = stripped

    def frame(self):
        """The next frame; None at the end of the stream."""
        while True:
            self._strip()
            head, empty, body = self.rest.partition(b"\n\n")
            if empty:
                length = Frame(head + b"\n\n").headers.get("content-length")
                size = int(length) if length else body.find(b"\0")
                if 0 <= size < len(body):
                    assert body[size:size + 1] == b"\0", self.rest
                    frame = Frame(head + b"\n\n" + body[:size])
                    self.rest = body[size + 1:]
                    return frame
            if not self._more():
                assert not self.rest, f"cut off: {self.rest!r}"
                return None

    def beat(self):
        """Waits for one more heart-beat; False at the end of the stream."""
        seen = self.beats
        while True:
            self._strip()
            if self.beats > seen:
                return True
            assert not self.rest, f"a frame where a heart-beat was awaited: {self.rest!r}"
            if not self._more():
                return False

    def ended(self):
        """True when the stream ends in order (no reset) with nothing further in it."""
        return self.frame() is None
