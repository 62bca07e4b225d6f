// What a simulated world did, in order: every scheduling decision, delivery and fault is folded
// into one 64-bit digest, and the last lines are kept as text when asked for. Public; belongs to
// its World's thread.
#pragma once

#include <hawser/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::sim {

/// What an entry of the trace tells; `a`, `b` and `c` in the comments are its three numbers.
enum class TraceKind : std::uint8_t {
  turn,           ///< loop a of host b got a turn
  advance,        ///< time moved
  connecting,     ///< stream a sets out from host b to host c
  connected,      ///< stream a reached its listener, the other end is stream b
  refused,        ///< stream a was refused with errno b
  segment,        ///< stream a received b bytes
  end_of_stream,  ///< stream a received the end of its peer's bytes
  reset,          ///< stream a was reset
  held,           ///< what stream a sends cannot get through (cut, stalled or host down)
  read,           ///< engine a read b bytes from descriptor c
  written,        ///< engine a wrote b bytes to descriptor c
  accepted,       ///< engine a accepted descriptor b
  cancelled,      ///< engine a cancelled on descriptor b; c tells how it went
  completed,      ///< engine a has a completion for descriptor b
  closed,         ///< descriptor a of host b was closed
  datagram,       ///< a bytes went from host b to host c
  fault,          ///< fault a (FaultKind) struck object b
  job,            ///< engine a finished blocking job b
  host,           ///< host a changed: b says how (HostChange)
  link,           ///< the link from host a to b was cut (c = 1) or healed (c = 0)
  remark,         ///< the test's own words
};

/// Which fault struck, in entries of kind `fault`.
enum class FaultKind : std::uint8_t {
  connect_refused,
  connect_black_holed,
  reset,
  half_close,
  stall,
  datagram_loss,
  datagram_duplication,
  datagram_reordering,
  split_read,
  short_write,
  receive_starvation,
  accept_aborted,
  accept_exhausted,
  slow_blocking,
};

enum class HostChange : std::uint8_t { created, paused, resumed, crashed, restarted };

std::string_view to_string(TraceKind kind) noexcept;
std::string_view to_string(FaultKind kind) noexcept;
std::string_view to_string(HostChange change) noexcept;

class Trace {
 public:
  /// Two runs with the same digest did the same things in the same order at the same times.
  std::uint64_t digest() const noexcept { return digest_; }
  /// How many entries were folded in so far.
  std::uint64_t count() const noexcept { return count_; }
  /// How often this fault struck so far: tests show with it that a fault was really there.
  std::uint64_t faults(FaultKind kind) const noexcept {
    return fault_counts_[static_cast<std::size_t>(kind)];
  }

  /// From now on the last `lines` entries are kept for text(); 0 stops that.
  void keep(std::size_t lines = 10'000);
  /// The entries kept, oldest first, a line each with its virtual time.
  std::string text() const;

  void add(Instant at, TraceKind kind, std::uint64_t a = 0, std::uint64_t b = 0,
           std::uint64_t c = 0) {
    ++count_;
    fold(static_cast<std::uint64_t>(at.nanoseconds()) ^ (static_cast<std::uint64_t>(kind) << 56U));
    fold(a);
    fold(b);
    fold(c);
    if (limit_ != 0) remember({at, kind, a, b, c, {}});
  }
  void add(Instant at, FaultKind fault, std::uint64_t object) {
    ++fault_counts_[static_cast<std::size_t>(fault)];
    add(at, TraceKind::fault, static_cast<std::uint64_t>(fault), object);
  }
  /// A line of the test's own, also part of the digest.
  void remark(Instant at, std::string_view text);

 private:
  struct Entry {
    Instant at;
    TraceKind kind;
    std::uint64_t a, b, c;
    std::string text;
  };
  void fold(std::uint64_t word) noexcept {
    digest_ = (digest_ ^ word) * 0x9e3779b97f4a7c15U;
    digest_ ^= digest_ >> 32U;
  }
  void remember(Entry entry);

  std::uint64_t digest_ = 0x6861777365720000U;
  std::uint64_t count_ = 0;
  std::uint64_t fault_counts_[16] = {};
  std::size_t limit_ = 0;
  std::size_t next_ = 0;  // where the ring writes next once it is full
  std::vector<Entry> ring_;
};

}  // namespace hawser::sim
