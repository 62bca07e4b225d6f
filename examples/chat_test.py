"""Two guests of the chat room hear each other, and one hears the other go.

Who has joined is known on the other schedulers a moment later: until then nobody hears everybody, so
each says the same until the other has heard it."""
import select
import sys

from program import Program, connect


class Guest:
    def __init__(self, name):
        self.sock = connect(7102)
        self.lines = self.sock.makefile("rb")
        assert self.lines.readline() == b"your name?\n"
        self.say(name)

    def say(self, text):
        self.sock.sendall(text.encode() + b"\n")

    def hears(self, text):
        """Reads on until that line comes."""
        while (line := self.lines.readline()) != text.encode() + b"\n":
            assert line, "closed"

    def has_mail(self):
        return bool(select.select([self.sock], [], [], 0.2)[0])


with Program(sys.argv[1]) as program:
    ann, bob = Guest("ann"), Guest("bob")
    for speaker, listener, text in ((bob, ann, "hi ann"), (ann, bob, "hi bob")):
        speaker.say(text)
        while not listener.has_mail():
            speaker.say(text)
    ann.hears("bob: hi ann")
    bob.hears("ann: hi bob")
    bob.lines.close()
    bob.sock.close()
    ann.hears("bob has gone")
    program.end()
