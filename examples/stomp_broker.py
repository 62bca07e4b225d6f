"""A broker of a few lines for the examples' tests: one connection at a time, frames by name."""
import socket


class Broker:
    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self, version="1.2"):
        """Waits for a client and lets it in."""
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(20)
        self.buffer = b""
        connect = self.expect("CONNECT")
        self.send("CONNECTED", {"version": version, "heart-beat": "0,0"})
        return connect

    def send(self, command, headers, body=b""):
        lines = [command] + [f"{name}:{value}" for name, value in headers.items()]
        if body:
            lines.append(f"content-length:{len(body)}")
        self.connection.sendall("\n".join(lines).encode() + b"\n\n" + body + b"\0")

    def frame(self):
        """The next frame, its receipt answered."""
        while True:
            self.buffer = self.buffer.lstrip(b"\n")
            head, empty, rest = self.buffer.partition(b"\n\n")
            if empty:
                command, *lines = head.decode().split("\n")
                headers = dict(reversed([line.split(":", 1) for line in lines]))
                length = int(headers.get("content-length", rest.find(b"\0")))
                if 0 <= length < len(rest):
                    self.buffer = rest[length + 1:]
                    if "receipt" in headers:
                        self.send("RECEIPT", {"receipt-id": headers["receipt"]})
                    return command, headers, rest[:length]
            more = self.connection.recv(65536)
            assert more, "the client closed the connection"
            self.buffer += more

    def expect(self, command):
        name, headers, body = self.frame()
        assert name == command, f"{name} instead of {command}"
        headers["body"] = body
        return headers
