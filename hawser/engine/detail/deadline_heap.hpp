// The deadlines of graceful closes: few, mostly met early, so entries are dropped lazily. Internal
// to the engines; belongs to the engine's thread.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/engine/engine.hpp>

#include <cstddef>
#include <vector>

namespace hawser::detail {

/// Ordered by time, then by the order of adding (so that a simulated run repeats).
class DeadlineHeap {
 public:
  void add(Instant at, SocketId id);

  /// The first deadline whose socket `alive` still says yes to; forgets the dead ones before it.
  template <class Alive>
  Instant next(Alive alive) {
    while (!entries_.empty() && !alive(entries_.front().id)) pop();
    return entries_.empty() ? Instant::never() : entries_.front().at;
  }

  /// Takes the first deadline out if it is not after `now`.
  bool take_due(Instant now, SocketId& id);

  /// Forgets every dead entry when they may be the majority; called as sockets end.
  template <class Alive>
  void compact(std::size_t living, Alive alive) {
    if (entries_.size() < 64 || entries_.size() < 2 * living) return;
    std::erase_if(entries_, [&](const Entry& entry) { return !alive(entry.id); });
    rebuild();
  }

  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    Instant at;
    std::uint64_t order;
    SocketId id;
    /// For a heap with the earliest in front.
    friend bool operator<(const Entry& left, const Entry& right) noexcept {
      return left.at != right.at ? left.at > right.at : left.order > right.order;
    }
  };
  void pop();
  void rebuild();

  std::vector<Entry> entries_;
  std::uint64_t added_ = 0;
};

}  // namespace hawser::detail
