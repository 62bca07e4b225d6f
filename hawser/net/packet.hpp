// A packet as a handler gets it: a view of bytes that are still in the receive buffer. Public.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/process/next.hpp>

#include <string_view>

namespace hawser {

/// One whole packet without its framing. Borrowed: the bytes are gone when handle_packet returns
/// and its answer has been carried out, so what is kept longer must be copied (Bytes(packet)).
/// Otherwise it is a string_view: it compares with literals, slices with substr.
struct Packet : std::string_view {
  constexpr Packet() noexcept = default;
  constexpr explicit Packet(BytesView bytes) noexcept : std::string_view(bytes) {}
};

/// Sends the packet just received back, without a copy of its own. Only as the answer of
/// handle_packet.
inline Next send(Packet packet) { return send_borrowed(BytesView(packet)); }

}  // namespace hawser
