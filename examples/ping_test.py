"""Runs the README's ping server: pings it, stops one connection, ends it by SIGTERM."""
import signal
import socket
import struct
import subprocess
import sys
import time


def packet(payload):
    return struct.pack(">H", len(payload)) + payload


def receive(sock):
    (length,) = struct.unpack(">H", sock.recv(2, socket.MSG_WAITALL))
    return sock.recv(length, socket.MSG_WAITALL)


def connect(deadline):
    while True:
        try:
            return socket.create_connection(("127.0.0.1", 7007), timeout=10)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)  # nothing tells when the example listens


server = subprocess.Popen([sys.argv[1]])
try:
    with connect(time.monotonic() + 10) as sock:
        sock.sendall(packet(b"ping") + packet(b"other") + packet(b"ping"))
        assert receive(sock) == b"pong"
        assert receive(sock) == b"pong", "no answer to anything but ping"
        sock.sendall(packet(b"stop"))
        assert receive(sock) == b"ok"
        assert sock.recv(1) == b"", "closed after stop"
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=15) == 0, "drains and ends well"
finally:
    server.kill()
    server.wait()
