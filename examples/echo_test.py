"""Sends the passive echo server lines, several at a time and one in pieces."""
import sys

from program import Program, connect

with Program(sys.argv[1]) as program, connect(7101) as sock:
    lines = sock.makefile("rb")
    sock.sendall(b"one\ntwo\nthr")
    assert lines.readline() == b"one\n"
    assert lines.readline() == b"two\n"
    sock.sendall(b"ee\n")
    assert lines.readline() == b"three\n"
    program.end()
