"""Feeds the rail example compressed messages, loses its connection, and sees it come back."""
import gzip
import subprocess
import sys

from program import Program
from stomp_broker import Broker

with Broker(61613) as broker, Program(sys.argv[1], stdout=subprocess.PIPE, text=True) as feed:
    def says(words):
        line = feed.process.stdout.readline().strip()
        assert words in line, line

    def subscribed():
        connect = broker.accept()
        assert connect["client-id"] == "me@example.org-home", connect
        subscription = broker.expect("SUBSCRIBE")
        assert subscription["activemq.subscriptionName"] == "trains", subscription
        assert subscription["ack"] == "client", subscription
        says("listening")
        return subscription["id"]

    def tell(number, text, body=None):
        broker.send("MESSAGE", {"subscription": identity, "message-id": number, "ack": number,
                                "destination": "/topic/darwin.pushport-v16"},
                    gzip.compress(text.encode()) if body is None else body)

    identity = subscribed()
    tell(1, "<Pport>one</Pport>")
    says("<Pport>one</Pport>")
    assert broker.expect("ACK")["id"] == "1"
    tell(2, "", b"not gzip")
    says("gunzip")
    assert broker.expect("ACK")["id"] == "2"
    broker.connection.close()
    says("lost: ")
    identity = subscribed()
    tell(3, "<Pport>three</Pport>")
    says("<Pport>three</Pport>")
    assert broker.expect("ACK")["id"] == "3"
    feed.process.terminate()
    broker.expect("DISCONNECT")
    broker.connection.close()
    assert feed.process.wait(timeout=20) == 0
