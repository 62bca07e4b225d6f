"""A pool asks two small servers in turn; both get some of the questions."""
import socket
import struct
import subprocess
import sys
import threading

served = {}


def serve(listener):
    port = listener.getsockname()[1]
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(sock, port), daemon=True).start()


def answer(sock, port):
    while head := sock.recv(2, socket.MSG_WAITALL):
        question = sock.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
        assert question == b"ping"
        served[port] = served.get(port, 0) + 1
        sock.sendall(struct.pack(">H", 4) + b"pong")


listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
for each in listeners:
    threading.Thread(target=serve, args=(each,), daemon=True).start()
targets = [f"127.0.0.1:{each.getsockname()[1]}" for each in listeners]
for wrong in ([], ["nonsense"], [targets[0], "127.0.0.1:99999"]):
    refused = subprocess.run([sys.argv[1], *wrong], stderr=subprocess.PIPE, stdout=subprocess.PIPE, timeout=20)
    assert refused.returncode == 2, refused
    assert (wrong[-1] if wrong else "HOST:PORT").encode() in refused.stderr, refused
done = subprocess.run([sys.argv[1], *targets], stdout=subprocess.PIPE, timeout=40)
assert done.returncode == 0, done
assert done.stdout.split() == [b"pong"] * 10, done.stdout
assert sum(served.values()) == 10
