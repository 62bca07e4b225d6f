// Making kernel sockets: bound, listening, with their options, non-blocking and close-on-exec; and
// the errors of it in words that name the address, the cause and the cure. Internal to the real
// engines; plain functions, any thread.
#pragma once

#include <hawser/engine/address.hpp>
#include <hawser/engine/engine.hpp>

#include <optional>
#include <string_view>

namespace hawser::detail {

struct BoundSocket {
  int number = -1;  ///< the descriptor; the caller closes it
  Address bound;    ///< with the real port
};

/// A TCP or Unix socket that listens. A Unix path whose program is dead is removed first, one that
/// answers is "already exists". Accepted sockets inherit `options.accepted` from it (Linux copies
/// TCP_NODELAY, SO_KEEPALIVE and the buffer sizes), so accepting needs no call of its own for them.
Result<BoundSocket> open_listening_socket(const Address& address, const ListenOptions& options);

/// An unconnected stream socket of `to`'s family, bound to `from` where given.
Result<int> open_stream_socket(const Address& to, const StreamOptions& options,
                               const std::optional<Address>& from);

/// A bound datagram socket that tells the local address and interface of what it receives
/// (IP_PKTINFO, IPV6_RECVPKTINFO), member of its groups.
Result<BoundSocket> open_datagram_socket(const Address& bind, const DatagramOptions& options);

/// Sets what the kernel lets be set; Unix sockets have no TCP_NODELAY and that is no error.
void set_stream_options(int number, const StreamOptions& options) noexcept;

/// Changes options of an open stream; the error names the one that the kernel refused.
Result<void> change_stream_options(int number, const StreamChanges& changes);

/// How long ago bytes last came to a TCP stream, read or not; all others are "unsupported".
Result<Duration> time_since_arrival(int number);

/// Not connected is "closed"; an unnamed Unix peer is no address.
Result<Address> peer_address(int number);
Result<Address> local_address(int number);

/// Stops a listener without closing its descriptor: nobody can connect any more and the address is
/// free. The file of a Unix socket goes, unless another program listens there by now.
void stop_listening_socket(int number) noexcept;

/// Closes; with `reset` the peer gets an RST and unsent bytes are dropped.
void close_descriptor(int number, bool reset) noexcept;

/// Closes descriptors for sockets in transit. Has no state and no end, so it outlives every engine
/// and every message that a socket travels in.
NativeSocket::Closer& descriptor_closer() noexcept;

/// One datagram, now. A full socket buffer is "overloaded".
Result<void> send_datagram_to(int number, const Address& to, BytesView bytes,
                              std::uint32_t interface_index = 0);

/// A further group, through one interface. Once more is no error.
Result<void> join_multicast_group(int number, const Address& group, std::uint32_t interface_index);

/// Why `operation` on `address` failed, and what helps: the text of every error here. Also for
/// failures that come later, such as a refused connect.
Error address_error(int code, std::string_view operation, const Address& address);

}  // namespace hawser::detail
