// TLS, WebSocket, PROXY protocol and Unix sockets for `hawser serve`.
#include "serve_transports.hpp"

#include <hawser/net/proxy_protocol.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/net/websocket/websocket.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::app {
namespace {

Error wrong(std::string option, std::string what) {
  return {ErrorKind::invalid_argument, 0, "--" + std::move(option), std::move(what)};
}

/// "10.0.0.0/8,192.168.1.7"
std::string read_ranges(std::string_view text, std::vector<AddressRange>& target) {
  std::vector<AddressRange> ranges;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    auto range = AddressRange::parse(text.substr(0, comma));
    if (!range) return range.error().text();
    ranges.push_back(*range);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (ranges.empty()) return "names no network";
  target = std::move(ranges);
  return {};
}

}  // namespace

void add_transport_options(OptionTable& table, ServeTransports& transports) {
  table.begin_group("Transports");
  table.add_text("tls-certificate", "FILE", transports.tls_certificate,
                 "speak TLS: PEM certificate with its intermediates; needs --tls-key; SIGHUP reads "
                 "both again");
  table.add_text("tls-key", "FILE", transports.tls_key, "PEM private key of the certificate");
  table.add_text("tls-client-ca", "FILE", transports.tls_client_ca,
                 "clients must show a certificate that one of these authorities has signed");
  table.add_text("websocket", "PATH", transports.websocket,
                 "speak WebSocket at this path (\"/\"): each packet is a binary message");
  table.add_text("unix", "PATH", transports.unix_path,
                 "listen on a Unix socket instead of --listen");
  table.add("proxy-protocol", "CIDR,…", "",
            "expect a PROXY header (v1 or v2) from these load balancers, and nobody else",
            [&transports](std::string_view text) { return read_ranges(text, transports.proxies); });
}

Result<std::vector<ReloadPart>> apply_transports(const ServeTransports& transports,
                                                 std::size_t packet_limit, bool keep_request,
                                                 ServerOptions& server) {
  std::vector<ReloadPart> reloads;
  if (!transports.unix_path.empty()) server.listen = "unix:" + transports.unix_path;
  if (!transports.proxies.empty()) {
    ProxyProtocolOptions proxy;
    proxy.trusted = transports.proxies;
    server.transports.push_back(proxy_protocol(std::move(proxy)));
  }
  if (transports.tls_certificate.empty() != transports.tls_key.empty())
    return std::unexpected(transports.tls_key.empty()
                               ? wrong("tls-certificate", "needs --tls-key as well")
                               : wrong("tls-key", "needs --tls-certificate as well"));
  if (!transports.tls_client_ca.empty() && transports.tls_certificate.empty())
    return std::unexpected(wrong("tls-client-ca", "needs --tls-certificate and --tls-key"));
  if (!transports.tls_certificate.empty()) {
    auto context = TlsServerContext::of_files(transports.tls_certificate, transports.tls_key,
                                              transports.tls_client_ca);
    if (!context) return std::unexpected(std::move(context.error()));
    reloads.push_back({"certificates", [context = *context] { return context.reload(); }});
    server.transports.push_back(tls_server(std::move(*context)));
  }
  if (!transports.websocket.empty()) {
    WebSocketServerOptions websocket;
    websocket.path = transports.websocket;
    websocket.keep_request = keep_request;
    if (packet_limit != 0) websocket.message_limit = packet_limit;
    if (auto valid = validate(websocket); !valid) return std::unexpected(std::move(valid.error()));
    server.framing = whole(websocket.message_limit);
    server.transports.push_back(websocket_server(std::move(websocket)));
  }
  return reloads;
}

}  // namespace hawser::app
