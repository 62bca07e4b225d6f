"""Goes from plain lines to TLS on one connection, as Python's ssl sees it."""
import ssl
import subprocess
import sys
import tempfile

from program import Program, connect

with tempfile.TemporaryDirectory() as folder:
    certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                    certificate], check=True, stderr=subprocess.DEVNULL)
    context = ssl.create_default_context(cafile=certificate)
    with Program(sys.argv[1], certificate, key) as program, connect(7105) as sock:
        sock.sendall(b"hello\r\n")
        assert sock.recv(100) == b"250 plain hello\r\n"
        sock.sendall(b"STARTTLS\r\n")
        assert sock.recv(100) == b"220 go ahead\r\n"
        with context.wrap_socket(sock, server_hostname="localhost") as secret:
            secret.sendall(b"hello\r\nQUIT\r\n")
            received = b""
            while piece := secret.recv(100):
                received += piece
            assert received == b"250 secret hello\r\n221 bye\r\n", received
        program.end()
