// A received msghdr as a Datagram: who sent it, to which of our addresses, over which interface.
// Internal to the real engines; plain functions, any thread.
#pragma once

#include <hawser/engine/engine.hpp>

#include <sys/socket.h>

#include <cstddef>

namespace hawser::detail {

/// Room for the control messages that datagram sockets are told to ask for.
inline constexpr std::size_t datagram_control_bytes = 128;

/// `message` as recvmsg filled it; `port` is the one the socket is bound to, which the kernel does
/// not repeat. The bytes stay where they are.
Datagram to_datagram(const msghdr& message, BytesView bytes, std::uint16_t port);

}  // namespace hawser::detail
