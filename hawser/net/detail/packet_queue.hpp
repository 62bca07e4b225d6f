// Packets that cannot be sent now, in order and bounded: for a client that is away from its server,
// for a peer that reads too slowly, during a handshake in flight. Internal to the net layer.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <utility>

namespace hawser {

/// What a full queue does with one more packet.
enum class QueueOverflow : std::uint8_t {
  reject,       ///< it is refused; its sender is told
  drop_oldest,  ///< the one that waited longest goes; whoever waited for it is told
};

namespace detail {

/// Told once how a packet fared: written, or what became of it.
using WriteDone = std::move_only_function<void(Result<void>)>;

class PacketQueue {
 public:
  struct Entry {
    Payload packet;
    WriteDone done;  // may be empty
  };

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t packets() const noexcept { return entries_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  std::uint64_t dropped() const noexcept { return dropped_; }

  /// Error overloaded, naming `setting`, when it is not taken; `done` is then unused.
  Result<void> add(Payload packet, WriteDone&& done, std::size_t max_packets, std::size_t max_bytes,
                   QueueOverflow overflow, const char* setting);
  Entry take();
  /// Everything goes; whoever waited is told `error`.
  void fail_all(const Error& error);
  /// Everything goes, and nobody is told.
  void clear() noexcept;
  /// One that never came in.
  void count_dropped() noexcept { ++dropped_; }

 private:
  void drop_oldest(const char* setting);

  std::list<Entry> entries_;  // costs nothing while it is empty
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace detail
}  // namespace hawser
