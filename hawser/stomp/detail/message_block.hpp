// The part of a MESSAGE frame that is the same for all its subscribers: made once a version and
// shared. Internal to the STOMP layer.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/stomp/version.hpp>

namespace hawser::stomp::detail {

/// Headers a SEND may carry that are not the message's own: they are between client and broker, or
/// the broker sets them itself.
bool is_broker_header(BytesView name) noexcept;

/// "destination:…\n…content-length:N\n\n", escaped for `version`. A property which that version has
/// no way to express (a CR for a 1.1 client) is left out for it: better than a message withheld.
const Payload& message_block(const bus::Message& message, Version version);

}  // namespace hawser::stomp::detail
