// What the interop tests have at the other end of foreign programs where `hawser serve` has no
// option for it: a client, and an echo server with ALPN, compression or text messages.
//
//   peer connect|serve address=HOST:PORT [KEY=VALUE…]
//
// A client sends `packets` packets of `size` bytes, takes their echoes, and does so again on
// `rounds` connections; it prints what each stood on. A server answers "info" with the same, and
// echoes everything else.
#include <hawser/hawser.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using namespace hawser;

namespace {

class Words {
 public:
  Words(int count, char** words) {
    for (int i = 2; i < count; ++i) {
      const std::string_view word = words[i];
      const std::size_t equals = word.find('=');
      values_[std::string(word.substr(0, equals))] =
          equals == std::string_view::npos ? "1" : word.substr(equals + 1);
    }
  }
  std::string operator[](const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::string() : found->second;
  }
  bool has(const std::string& key) const { return values_.contains(key); }
  std::size_t number(const std::string& key, std::size_t otherwise) const {
    return has(key) ? std::strtoul((*this)[key].c_str(), nullptr, 10) : otherwise;
  }
  std::vector<std::string> list(const std::string& key) const {
    std::vector<std::string> all;
    std::string_view rest = values_.contains(key) ? std::string_view(values_.at(key)) : "";
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      all.emplace_back(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return all;
  }

 private:
  std::map<std::string, std::string> values_;
};

/// "WebSocket 13 over TLSv1.3, …; alpn=… name=… resumed=0 peer=… subprotocol=…"
std::string story(Connection& connection) {
  std::string text = connection.describe_transports() + ";";
  if (const auto* tls = connection.transport<TlsTransport>()) {
    const TlsInfo info = tls->info();
    text += fmt::format(" alpn={} name={} resumed={} peer={}", info.alpn, info.server_name,
                        info.resumed ? 1 : 0, info.peer_subject);
  }
  if (const auto* websocket = connection.transport<WebSocketTransport>())
    text += fmt::format(" subprotocol={} compresses={}", websocket->subprotocol(),
                        websocket->compresses() ? 1 : 0);
  return text;
}

struct Echo {
  Next handle_packet(Packet packet) {
    if (auto* websocket = connection().transport<WebSocketTransport>())
      websocket->set_outgoing_text(websocket->last_was_text());
    return packet == "info" ? send(story(connection())) : send(packet);
  }
};

struct Plan {
  std::size_t packets;
  std::size_t size;
  std::size_t rounds;
  bool palindrome;  // for who answers with what it got, turned round
};

class Caller {
 public:
  explicit Caller(Plan plan) : plan_(plan) {}

  Next handle_connect() {
    done_ = 0;
    std::printf("connected %s\n", story(connection()).c_str());
    Next next;
    for (std::size_t i = 0; i < plan_.packets; ++i)
      static_cast<void>(std::move(next).send(packet(i)));
    return next;
  }
  Next handle_packet(Packet got) {
    if (got != packet(done_)) return fail("an echo is wrong");
    if (++done_ < plan_.packets) return keep();
    if (++round_ < plan_.rounds) {
      client().disconnect(Reason::normal());
      return keep();
    }
    std::puts("done");
    self().system().request_stop();
    return keep();
  }
  void handle_state(const ClientChange& change) {
    if (change.state != ClientState::waiting || done_ == plan_.packets) return;
    static_cast<void>(fail(change.reason.text()));
  }

 private:
  Next fail(const std::string& why) {
    std::printf("lost %s\n", why.c_str());
    self().system().request_stop();
    return keep();
  }
  /// Lines of text, of any length, each another.
  std::string packet(std::size_t number) const {
    std::string text = fmt::format("{} ", number);
    while (text.size() < plan_.size) text += "sphinx of black quartz ";
    text.resize(plan_.size);
    if (plan_.palindrome) text += std::string(text.rbegin(), text.rend());
    return text;
  }

  Plan plan_;
  std::size_t done_ = 0;
  std::size_t round_ = 0;
};

Framing framing_of(const Words& words) {
  const std::string kind = words["framing"];
  if (words.has("websocket")) return whole();
  if (kind == "line") return line();
  return length_prefixed(static_cast<unsigned>(words.number("framing", 2)));
}

void fill(TlsProtocol& protocol, const Words& words) {
  if (words["tls"] == "1.2") protocol.maximum = TlsVersion::tls_1_2;
  if (words["tls"] == "1.3") protocol.minimum = TlsVersion::tls_1_3;
}

TlsIdentity identity_of(const Words& words) {
  TlsIdentity identity;
  identity.certificate_file = words["certificate"];
  identity.private_key_file = words["key"];
  return identity;
}

WebSocketDeflate deflate_of(const Words& words) {
  WebSocketDeflate deflate;
  deflate.enabled = words.has("deflate");
  deflate.no_context_takeover = deflate.peer_no_context_takeover = words["deflate"] != "takeover";
  return deflate;
}

TransportMakers server_transports(const Words& words) {
  TransportMakers makers;
  if (words.has("tls")) {
    TlsServerOptions tls;
    fill(tls.protocol, words);
    tls.identities = {identity_of(words)};
    tls.alpn = words.list("alpn");
    if (words.has("ca")) {
      tls.client_certificates = TlsClientCertificates::request;
      tls.client_trust.authority_file = words["ca"];
    }
    makers.push_back(tls_server(TlsServerContext::create(std::move(tls)).value()));
  }
  if (words.has("websocket")) {
    WebSocketServerOptions websocket;
    websocket.path = words["websocket"];
    websocket.subprotocols = words.list("subprotocols");
    websocket.deflate = deflate_of(words);
    makers.push_back(websocket_server(std::move(websocket)));
  }
  return makers;
}

TransportMakers client_transports(const Words& words) {
  TransportMakers makers;
  if (words.has("tls")) {
    TlsClientOptions tls;
    fill(tls.protocol, words);
    if (words.has("certificate")) tls.identity = identity_of(words);
    tls.alpn = words.list("alpn");
    tls.trust.authority_file = words["ca"];
    tls.server_name = words["name"];
    makers.push_back(tls_client(TlsClientContext::create(std::move(tls)).value()));
  }
  if (words.has("websocket")) {
    WebSocketClientOptions websocket;
    websocket.path = words["websocket"];
    websocket.subprotocols = words.list("subprotocols");
    websocket.deflate = deflate_of(words);
    websocket.text = words.has("text");
    makers.push_back(websocket_client(std::move(websocket)));
  }
  return makers;
}

}  // namespace

int main(int count, char** argv) {
  if (count < 3) return std::fputs("peer connect|serve address=… [KEY=VALUE…]\n", stderr), 2;
  const Words words(count, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  System system;
  if (std::string_view(argv[1]) == "serve") {
    ServerOptions options;
    options.listen = words["address"];
    options.framing = framing_of(words);
    options.transports = server_transports(words);
    const auto started = system.start(server<Echo>("echo", options));
    if (!started) return std::fprintf(stderr, "%s\n", started.error().text().c_str()), 1;
    std::printf("ready packet=%s pid=%d\n", server_status(system, "echo")->address.text().c_str(),
                getpid());
  } else {
    ClientOptions options;
    options.targets = TargetList(words["address"]);
    options.framing = framing_of(words);
    options.transports = client_transports(words);
    const Plan plan{words.number("packets", 20), words.number("size", 100),
                    words.number("rounds", 1), words.has("palindrome")};
    const auto started = system.start(client<Caller>("caller", options, plan));
    if (!started) return std::fprintf(stderr, "%s\n", started.error().text().c_str()), 1;
  }
  return system.run();
}
