// How a subscription's messages are settled, the same for client and broker. Public.
#pragma once

#include <cstdint>

namespace hawser::stomp {

/// When a message counts as consumed (stomp.md 2.4).
enum class AckMode : std::uint8_t {
  automatic,          ///< as soon as the broker has written it
  client,             ///< an ACK settles its message and all earlier ones of the subscription
  client_individual,  ///< an ACK settles its message; not in 1.0
};

}  // namespace hawser::stomp
