// TLS: a line server that tells who its clients are by their certificates, and gets new
// certificates without a restart: `tls CERTIFICATE KEY CLIENT-AUTHORITY`; the line "RELOAD" reads
// the files anew.
#include <hawser/hawser.hpp>

#include <cstdio>
#include <string>
using namespace hawser;

class Session {
 public:
  explicit Session(TlsServerContext tls) : tls_(std::move(tls)) {}

  // The handshake is over when init runs: version, names and certificates are known.
  Next init() {
    const TlsInfo info = connection().transport<TlsTransport>()->info();
    return send("220 " + info.version + " for " + info.server_name + ", protocol " + info.alpn +
                ", you are " + (info.peer_verified ? info.peer_subject : "nobody"));
  }
  Next handle_packet(Packet line) {
    if (line == "QUIT") return send("221 bye").then_stop();
    if (line != "RELOAD") return send("250 " + std::string(line));
    const auto done = tls_.reload();  // those who are connected keep what they have
    return send(done ? "250 new clients get the new certificate" : "550 " + done.error().text());
  }

 private:
  TlsServerContext tls_;
};

int main(int count, char** words) {
  if (count != 4) return std::fputs("tls CERTIFICATE.pem KEY.pem AUTHORITY.pem\n", stderr), 2;
  TlsServerOptions options;
  options.identities.push_back({.certificate_file = words[1], .private_key_file = words[2]});
  options.alpn = {"lines/1"};
  options.client_certificates = TlsClientCertificates::request;
  options.client_trust.authority_file = words[3];
  auto tls = TlsServerContext::create(options);
  if (!tls) return std::fprintf(stderr, "%s\n", tls.error().text().c_str()), 1;
  System system;
  system.start(server<Session>("lines",
                               {.listen = "127.0.0.1:7108",
                                .framing = line({.send_crlf = true}),
                                .transports = {tls_server(*tls)}},
                               *tls));
  return system.run();
}
