// The messages a client has yet to send, and those whose receipts it awaits, in the order they were
// asked for. Internal to the STOMP client; pure: no clock, no connection.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/stomp/client_messages.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace hawser::stomp::detail {

/// Told once how a message fared; may be empty.
using Outcome = std::move_only_function<void(Result<void>)>;

class Outbox {
 public:
  enum class Kind : std::uint8_t { message, commit, abort };
  struct Entry {
    Send message;
    Kind kind = Kind::message;
    Outcome done;
    Instant deadline = Instant::never();
    std::uint32_t sendings = 0;
    std::uint32_t suspicions = 0;  ///< times it was the first in flight when the connection broke
    std::uint64_t number = 0;      ///< grows with the order; also the receipt's token
  };
  struct Limits {
    std::size_t messages;
    std::size_t bytes;
  };

  /// The number that the next entry gets: part of its key.
  std::uint64_t next_number() const noexcept { return last_ + 1; }

  bool has_room(std::size_t body, Limits limits) const noexcept {
    return waiting_.size() < limits.messages && bytes_ + body <= limits.bytes;
  }
  /// Behind all that wait. The caller has looked for room.
  void add(Entry entry);
  /// The one that waited longest, but no commit or abort, leaves; nothing when there is none.
  std::optional<Entry> drop_oldest();

  bool empty() const noexcept { return waiting_.empty(); }
  std::size_t waiting() const noexcept { return waiting_.size(); }
  std::size_t waiting_bytes() const noexcept { return bytes_; }
  std::size_t in_flight() const noexcept { return in_flight_.size(); }
  const Entry& front() const { return waiting_.begin()->second; }
  /// One under suspicion travels alone: if the connection breaks again, it is known who did it.
  bool front_may_go() const noexcept {
    return in_flight_.empty() ||
           (front().suspicions == 0 && in_flight_.begin()->second.suspicions == 0);
  }

  /// The first leaves; the caller either forgets it or keeps it in flight.
  Entry take();
  void keep_in_flight(Entry entry);
  /// Its receipt is there, or will not come: it leaves.
  std::optional<Entry> landed(std::uint64_t number);

  struct Torn {
    std::deque<Entry> lost;      ///< nobody knows, in order
    std::deque<Entry> given_up;  ///< under suspicion too often
    std::size_t again = 0;       ///< back in the outbox, before all that wait
  };
  /// The connection is lost: what may be repeated goes back to where it was in the order.
  Torn tear(std::uint32_t attempts);
  /// What belongs to a transaction leaves.
  std::deque<Entry> remove_transactions();

  Instant next_deadline() const noexcept {
    return deadlines_.empty() ? Instant::never() : deadlines_.begin()->first;
  }
  /// One that has waited too long leaves.
  std::optional<Entry> take_overdue(Instant now);
  /// All leave, those in flight first.
  std::deque<Entry> clear();

 private:
  void put(Entry entry);
  Entry remove(std::map<std::uint64_t, Entry>::iterator at);

  std::map<std::uint64_t, Entry> waiting_;
  std::map<std::uint64_t, Entry> in_flight_;
  std::set<std::pair<Instant, std::uint64_t>> deadlines_;  // of those that wait
  std::size_t bytes_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace hawser::stomp::detail
