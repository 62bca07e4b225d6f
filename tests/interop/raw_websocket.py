"""A bare WebSocket client over a socket, with the read and write of one, so that RawStomp can speak
through it and tests see the frames themselves."""

import base64
import os
import socket
import struct

from program import LIMIT


class WebSocket:
    def __init__(self, address, path="/stomp", protocols=("v12.stomp", "v11.stomp", "v10.stomp"),
                 headers=(), wrap=None):
        self.socket = socket.create_connection(address, timeout=LIMIT)
        if wrap:
            self.socket = wrap(self.socket)
        lines = [f"GET {path} HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        if protocols:
            lines.append("Sec-WebSocket-Protocol: " + ", ".join(protocols))
        lines += headers
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            octets = self.socket.recv(4096)
            if not octets:
                break
            self.rest += octets
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])
        self.protocol = next((line.split(b":", 1)[1].strip().decode() for line in head.split(b"\r\n")
                              if line.lower().startswith(b"sec-websocket-protocol:")), "")
        self.kinds = []  # of the messages that came: "text", "binary"
        self.close_code = None

    def sendall(self, octets, text=False):
        self.send_frame(1 if text else 2, octets)

    def send_frame(self, opcode, octets, final=True):
        mask = os.urandom(4)
        size = len(octets)
        head = bytes([opcode | (0x80 if final else 0)])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack("!H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack("!Q", size)
        masked = bytes(octet ^ mask[i % 4] for i, octet in enumerate(octets))
        self.socket.sendall(head + mask + masked)

    def _exactly(self, size):
        while len(self.rest) < size:
            octets = self.socket.recv(65536)
            if not octets:
                return None
            self.rest += octets
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def recv(self, _):
        """The payload of the next data message; b"" at the end."""
        while True:
            head = self._exactly(2)
            if head is None:
                return b""
            size = head[1] & 0x7F
            if size == 126:
                size = struct.unpack("!H", self._exactly(2))[0]
            elif size == 127:
                size = struct.unpack("!Q", self._exactly(8))[0]
            payload = self._exactly(size)
            opcode = head[0] & 0x0F
            if opcode == 8:
                self.close_code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                return b""
            if opcode in (1, 2):
                self.kinds.append("text" if opcode == 1 else "binary")
                if opcode == 1:
                    payload.decode()  # must be UTF-8
                return payload

    def close(self):
        self.socket.close()
