// Kernel sockets that come from other programs or go to them, and who those programs are. Internal
// to the real engines; plain functions, any thread.
#pragma once

#include <hawser/engine/address.hpp>
#include <hawser/engine/engine.hpp>

#include <span>
#include <string>
#include <vector>

namespace hawser::detail {

/// Who is at the other end of a connected Unix stream; other sockets are "unsupported".
Result<PeerCredentials> peer_credentials(int number);

/// Makes a socket that somebody else bound and made to listen non-blocking and close-on-exec, sets
/// what accepted ones inherit, and answers where it is bound. One that does not listen for streams
/// is "invalid_argument".
Result<Address> prepare_listening_socket(int number, const ListenOptions& options);

/// One more descriptor of the same socket, close-on-exec.
Result<int> duplicate_descriptor(int number);

/// `bytes`, and with them descriptors of `sockets`, in one message on a Unix stream (SCM_RIGHTS).
Result<void> send_descriptors(int number, BytesView bytes, std::span<const NativeSocket> sockets);

/// What one receive brought: some bytes, and the descriptors that came with them.
struct ReceivedDescriptors {
  std::string bytes;  ///< empty: the peer has closed
  std::vector<NativeSocket> sockets;
};
/// Receives at most `most` bytes from a Unix stream; waits when the socket is a blocking one. More
/// descriptors than 64 at once are a protocol error.
Result<ReceivedDescriptors> receive_descriptors(int number, std::size_t most);

}  // namespace hawser::detail
