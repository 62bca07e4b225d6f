"""Clients with and without a certificate, as Python's ssl sees it, and a certificate that changes
while the server runs."""
import ssl
import subprocess
import sys
import tempfile

from program import Program, connect


def make(folder, name, *more):
    certificate, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    *more, "-keyout", key, "-out", certificate],
                   check=True, stderr=subprocess.DEVNULL)
    return certificate, key


def talk(context, *lines):
    with connect(7108) as sock, context.wrap_socket(sock, server_hostname="localhost") as secret:
        secret.sendall(b"".join(line + b"\r\n" for line in lines) + b"QUIT\r\n")
        received = b""
        while piece := secret.recv(1000):
            received += piece
        return received.decode().split("\r\n")[:-2]


with tempfile.TemporaryDirectory() as folder:
    names = ["-addext", "subjectAltName=DNS:localhost"]
    certificate, key = make(folder, "server", *names)
    alice, alice_key = make(folder, "alice")
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(["lines/1"])
    with Program(sys.argv[1], certificate, key, alice) as program:
        greeting, answer = talk(context, b"hello")
        assert greeting == "220 TLS 1.3 for localhost, protocol lines/1, you are nobody", greeting
        assert answer == "250 hello", answer
        context.load_cert_chain(alice, alice_key)
        assert talk(context)[0].endswith("you are CN=alice"), "its certificate names it"
        make(folder, "server", *names)  # another one, in the same files
        assert talk(context, b"RELOAD")[1].startswith("250 new clients")
        try:
            talk(context)
            raise AssertionError("the old certificate is still shown")
        except ssl.SSLCertVerificationError:
            pass
        context = ssl.create_default_context(cafile=certificate)
        context.set_alpn_protocols(["lines/1"])
        assert talk(context)[0].endswith("you are nobody")
        program.end()
