"""Two guests of the chat room hear each other, and one hears the other go."""
import sys

from program import Program, connect

with Program(sys.argv[1]) as program, connect(7102) as ann, connect(7102) as bob:
    ann_hears, bob_hears = ann.makefile("rb"), bob.makefile("rb")
    assert ann_hears.readline() == b"your name?\n"
    assert bob_hears.readline() == b"your name?\n"
    ann.sendall(b"ann\nhello?\n")
    bob.sendall(b"bob\n")
    assert ann_hears.readline() == b"bob has come\n"
    bob.sendall(b"hi ann\n")
    assert ann_hears.readline() == b"bob: hi ann\n"
    ann.sendall(b"hi bob\n")
    while (line := bob_hears.readline()) != b"ann: hi bob\n":
        assert line == b"ann: hello?\n", line
    bob.close()
    bob_hears.close()
    assert ann_hears.readline() == b"bob has gone\n"
    program.end()
