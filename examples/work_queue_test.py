"""Gives the work queue back the jobs it hands in, the first one after a lost connection."""
import subprocess
import sys

from program import Program
from stomp_broker import Broker

with Broker(61613) as broker, Program(sys.argv[1], stdout=subprocess.PIPE, text=True) as program:
    def subscribed():
        broker.accept()
        subscription = broker.expect("SUBSCRIBE")
        assert subscription["ack"] == "client-individual", subscription
        assert subscription["prefetch-count"] == "4", subscription
        return subscription["id"]

    subscribed()
    # The connection is lost before the first job's receipt is there.
    while b"message-key" not in broker.buffer:
        broker.buffer += broker.connection.recv(65536)
    key = broker.buffer.split(b"message-key:")[1].split(b"\n")[0].decode()
    broker.connection.close()

    identity = subscribed()
    jobs = []
    for number in range(4):
        jobs.append(broker.expect("SEND"))
    assert [job["body"] for job in jobs] == [b"one", b"two", b"broken", b"three"], jobs
    assert jobs[0]["message-key"] == key, "sent again under its own key"
    assert len({job["message-key"] for job in jobs}) == 4
    for number, job in enumerate(jobs):
        broker.send("MESSAGE", {"subscription": identity, "message-id": number, "ack": number,
                                "destination": "/queue/jobs"}, job["body"])
    settled = {}
    for _ in jobs:
        command, headers, _ = broker.frame()
        settled[headers["id"]] = command
    assert settled == {"0": "ACK", "1": "ACK", "2": "NACK", "3": "ACK"}, settled
    lines = sorted(program.process.stdout.readline().strip() for _ in range(8))
    assert lines == sorted(["handed in one", "handed in two", "handed in broken", "handed in three",
                            "done one", "done two", "failed broken", "done three"]), lines
    program.process.terminate()
    broker.expect("DISCONNECT")
    broker.connection.close()
    assert program.process.wait(timeout=20) == 0
