"""Speaks to the server through its mask; a client that names no key is refused."""
import sys

from program import Program, connect

KEY = 0x5A


def masked(data):
    return bytes(byte ^ KEY for byte in data)


with Program(sys.argv[1]) as program, connect(7104) as sock, connect(7104) as other:
    sock.sendall(bytes([KEY]) + masked(b"hello\nwor"))
    other.sendall(b"\0")
    assert other.recv(10) == b""
    sock.sendall(masked(b"ld\n"))
    received = b""
    while len(received) < 12:
        received += sock.recv(100)
    assert masked(received) == b"hello\nworld\n", masked(received)
    program.end()
