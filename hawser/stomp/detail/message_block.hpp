// The part of a MESSAGE frame that is the same for all its subscribers. Internal to the STOMP
// layer.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/bus/message.hpp>
#include <hawser/stomp/version.hpp>

namespace hawser::stomp::detail {

/// From "destination:…\n" to the empty line, as `version` has to see it. For 1.2 that is how the
/// message lies; for the others too, unless something in it is escaped: then it is made once and
/// shared. A header that the version has no way to express (a CR for a 1.1 client) is left out for
/// it: better than a message withheld.
BytesView message_head(const bus::Message& message, Version version);

/// The head and with it body and NUL, where they lie in one piece; else empty.
inline BytesView message_whole(const bus::Message& message, Version version) {
  const bool as_it_lies = version == Version::v1_2 || !message.has_escapes() ||
                          (version == Version::v1_1 && !message.has_carriage_return());
  return as_it_lies ? message.whole() : BytesView{};
}

}  // namespace hawser::stomp::detail
