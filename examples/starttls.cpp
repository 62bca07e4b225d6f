// STARTTLS: a line server that a client may ask to go on in TLS: `starttls CERTIFICATE KEY`.
#include <hawser/hawser.hpp>

#include <cstdio>
#include <string>
using namespace hawser;

class Session {
 public:
  explicit Session(TlsServerContext tls) : tls_(std::move(tls)) {}

  Next handle_packet(Packet line) {
    if (line == "STARTTLS") {
      // The answer still goes as it is; every byte behind this line belongs to TLS.
      connection().push_transport(tls_server(tls_)());
      return send("220 go ahead");
    }
    if (line == "QUIT") return send("221 bye").then_stop();
    const auto* tls = connection().transport<TlsTransport>();
    return send("250 " + std::string(tls == nullptr ? "plain" : "secret") + " " +
                std::string(line));
  }

 private:
  TlsServerContext tls_;
};

int main(int count, char** words) {
  if (count != 3) return std::fputs("starttls CERTIFICATE.pem KEY.pem\n", stderr), 2;
  TlsServerOptions options;
  options.identities.push_back({.certificate_file = words[1], .private_key_file = words[2]});
  auto tls = TlsServerContext::create(options);
  if (!tls) return std::fprintf(stderr, "%s\n", tls.error().text().c_str()), 1;
  System system;
  system.start(server<Session>(
      "lines", {.listen = "127.0.0.1:7105", .framing = line({.send_crlf = true})}, *tls));
  return system.run();
}
