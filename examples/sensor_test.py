"""Plays the host of the example sensor: answers its marco, calls it back, takes a reading."""
import json
import signal
import socket
import subprocess
import sys


def receive(sock):
    size = int(sock.recv(6, socket.MSG_WAITALL))
    return json.loads(sock.recv(size, socket.MSG_WAITALL))


for wrong in ("nonsense", "localhost:1030", "192.0.2.7:99999", "192.0.2.7:0", "[::1]:1030"):
    done = subprocess.run([sys.argv[1], wrong], stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 2, done
    assert b'"%s"' % wrong.encode() in done.stderr and b"192.0.2.7:1030" in done.stderr, done
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
udp.settimeout(20)
door = socket.create_server(("127.0.0.1", 0))
door.settimeout(20)
sensor = subprocess.Popen([sys.argv[1], "127.0.0.1:%d" % udp.getsockname()[1]],
                        stdout=subprocess.DEVNULL)
try:
    marco, sender = udp.recvfrom(2048)
    assert json.loads(marco)[:3] == ["marco", "sensor", "lab"], marco
    udp.sendto(json.dumps(["polo", "lab", door.getsockname()[1]]).encode(), sender)
    incoming, _ = door.accept()
    incoming.settimeout(20)
    registration = receive(incoming)
    assert registration[:2] == ["register", "sensor"], registration
    with socket.create_connection(("127.0.0.1", registration[2]), timeout=20):
        while (message := receive(incoming))[0] != "event":
            assert message == ["heartbeat", "sensor"], message
        assert message[:3] == ["event", "sensor", "temperature"] and 20 <= message[3] < 25, message
        sensor.send_signal(signal.SIGTERM)
        assert sensor.wait(timeout=20) == 0
finally:
    sensor.kill()
    sensor.wait()
