"""An authority, a server's and a client's certificate in a temporary folder, by the openssl command."""

import os
import subprocess
import tempfile


class Certificates:
    """`with Certificates() as files:` files.ca, .certificate, .key (for localhost, 127.0.0.1 and
    other.example), .client_certificate, .client_key (CN=alice)."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.ca, ca_key = self._path("ca.pem"), self._path("ca.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", "2", "-keyout", ca_key, "-out", self.ca, "-subj", "/CN=test authority")
        self.certificate, self.key = self._issue(
            "server", ca_key, "localhost", "DNS:localhost,DNS:other.example,IP:127.0.0.1")
        self.client_certificate, self.client_key = self._issue("client", ca_key, "alice", "DNS:alice")
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def _path(self, name):
        return os.path.join(self.folder.name, name)

    def _issue(self, name, ca_key, subject, names):
        key, request, certificate = (self._path(name + end) for end in (".key", ".csr", ".pem"))
        extensions = self._path(name + ".ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", request, "-subj", f"/CN={subject}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial",
                      "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key

    @staticmethod
    def _openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, stdin=subprocess.DEVNULL)
