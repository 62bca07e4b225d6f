// Memory that a WebSocket needs only while one of its functions runs: lent for that long, kept by
// the thread between two of them, so that a connection with nothing under way holds none. Internal.
#pragma once

#include <hawser/net/websocket/detail/deflate.hpp>
#include <hawser/net/websocket/detail/frame_head.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace hawser::websocket {

struct Scratch {
  /// Buffers that grew beyond this are not kept.
  static constexpr std::size_t kept_bytes = 256 << 10;

  FrameCodec codec;
  std::string bytes;    ///< unmasked, inflated or deflated bytes of this call
  std::string message;  ///< an empty buffer with some capacity, for a message to begin with
  std::unique_ptr<Inflater> inflater;  ///< spare, for peers that do not take their context over
  std::unique_ptr<Deflater> deflater;  ///< the same for us

  /// A buffer of `size` bytes of any content.
  char* room(std::size_t size) {
    if (bytes.size() < size) bytes.resize(size);
    return bytes.data();
  }
};

/// Nothing survives in a Scratch from one lease to the next but capacity. A lease within a lease
/// (a handler that sends from handle_packet) gets another one.
class ScratchLease {
 public:
  ScratchLease();
  ScratchLease(ScratchLease&&) = delete;
  ~ScratchLease();
  Scratch* operator->() const noexcept { return scratch_.get(); }
  Scratch& operator*() const noexcept { return *scratch_; }

 private:
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace hawser::websocket
