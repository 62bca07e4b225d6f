"""What the examples' tests share: a program that is started, ended by SIGTERM, and never left."""
import signal
import socket
import subprocess
import time


class Program:
    def __init__(self, *command, **options):
        self.process = subprocess.Popen(command, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Asks it to end; it must drain and answer 0."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        assert status == 0, f"ended with {status}"


def connect(port, seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)  # nothing tells when an example listens
