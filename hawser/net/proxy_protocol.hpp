// The PROXY protocol on connections: a server behind a load balancer learns from the first bytes
// who the client is, a client can say for whom it connects. Public; the lowest transport of a
// connection (transport.hpp), taken out as soon as the header is through.
//
//   ProxyProtocolOptions proxy;
//   proxy.trusted = {*AddressRange::parse("10.0.0.0/8")};
//   .transports = {proxy_protocol(proxy), tls_server(…)}
#pragma once

#include <hawser/engine/address.hpp>
#include <hawser/engine/address_range.hpp>
#include <hawser/net/proxy_header.hpp>
#include <hawser/net/transport.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace hawser {

/// What becomes of a peer that is not in `trusted`, whose word about its client is worth nothing.
enum class UntrustedPeer : std::uint8_t {
  refuse,  ///< the connection ends before a byte of it is read
  plain,   ///< it is its own client: no header is looked for, all its bytes go to what is above
};

struct ProxyProtocolOptions {
  /// Who may say for whom it connects: the load balancers. Must not be empty.
  std::vector<AddressRange> trusted{};
  UntrustedPeer untrusted = UntrustedPeer::refuse;
  /// false: a trusted peer may also connect for itself, without a header; the first bytes tell. A
  /// client that waits for the server to speak first then waits in vain, since nothing is sent
  /// before it has said something.
  bool required = true;
  /// Versions that are taken, and the most bytes of a header.
  ProxyHeaderRules header{};
  /// Called with each header before the connection begins, and the proxy's own address. An error
  /// ends the connection with reason failed. The place for authority, unique_id or tls.
  std::function<Result<void>(const ProxyHeader& header, const Address& proxy)> on_header{};

  /// "field: what is wrong" for each setting that cannot be used, none when all is well. A
  /// transport made from such options fails every connection with the first of them.
  std::vector<std::string> faults() const;
};

/// For servers: exactly one header comes first; then the connection's peer is the header's source
/// (unless the proxy speaks for itself or does not say), and every byte that follows is left as it
/// is. Ends the connection with reason
///   protocol_error  no header, or one that breaks the specification or a rule
///   closed          the peer closed without a byte, as load balancers do to look whether we live
///   failed          an untrusted peer, refused by on_header, unusable options
TransportMaker proxy_protocol(ProxyProtocolOptions options);

/// For clients: sends the header that `make` gives, once for each connection, then everything else
/// as it is. A header that cannot be written ends the connection with reason failed.
TransportMaker send_proxy_protocol(std::function<ProxyHeader()> make);
/// The same header for each connection.
TransportMaker send_proxy_protocol(ProxyHeader header);

}  // namespace hawser
