// The negotiation of permessage-deflate (RFC 7692 §5, §7.1) as functions over header values.
// Internal.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/net/websocket/options.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hawser::websocket {

/// What was agreed, from our side.
struct DeflateAgreement {
  bool on = false;
  bool compress = true;  ///< false: our window would be one that zlib lacks; we only inflate
  bool our_takeover = true;
  bool peer_takeover = true;
  int our_bits = 15;
  int peer_bits = 15;
};

/// A server's choice among the offers of Sec-WebSocket-Extensions (joined): the agreement and the
/// header's value to answer with ("": none). An error when the header is no list of extensions.
struct DeflateChoice {
  DeflateAgreement agreement;
  std::string answer;
};
Result<DeflateChoice> choose_deflate(std::string_view offers, const WebSocketDeflate& options);

/// A client's offer; "" when it is off.
std::string offer_deflate(const WebSocketDeflate& options);
/// What the server's answer to that offer means; an error when it is no answer to it.
Result<DeflateAgreement> agree_deflate(std::string_view answer, const WebSocketDeflate& options);

}  // namespace hawser::websocket
