"""Netstrings come back as they were sent; what is none ends that connection alone."""
import sys

from program import Program, connect

with Program(sys.argv[1]) as program, connect(7103) as good, connect(7103) as bad:
    good.sendall(b"5:hel")
    bad.sendall(b"5:hello;")
    assert bad.recv(100) == b"", "closed"
    good.sendall(b"lo,0:,11:hello world,")
    expected = b"5:hello,0:,11:hello world,"
    received = b""
    while len(received) < len(expected):
        received += good.recv(100)
    assert received == expected, received
    program.end()
