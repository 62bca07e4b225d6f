// What is going to happen in a simulated world: a binary heap of small plain events, ordered by
// time and, within one instant, by the order in which they were scheduled. Internal; one thread.
#pragma once

#include <hawser/base/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hawser::sim::detail {

enum class EventKind : std::uint8_t {
  segment,     // the front segment of stream `index` reaches its other end
  pump,        // stream `index` learns that its peer has room again
  syn,         // the connection attempt of stream `index` reaches the other host
  syn_again,   // stream `index` has had no answer: the next attempt
  syn_answer,  // the answer reaches stream `index`: extra = 0 accepted, else the errno
  reset_in,    // a reset reaches stream `index`
  give_up,     // stream `index` has been held for too long if its hold is still number `extra`
  orphan_end,  // nobody owns stream `index` any more and its time is over
  keep_alive,  // stream `index` asks its peer; extra = number of the asking, if it is still that
  no_room,   // the peer of stream `index` has had no room for too long; extra = number of the wait
  datagram,  // parcel `index` arrives
  engine,    // something falls due at engine `index`: `extra` is the engine's own
};

struct Event {
  Instant at;
  std::uint64_t sequence = 0;
  std::uint64_t extra = 0;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  EventKind kind = EventKind::segment;
};

class EventQueue {
 public:
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  Instant next() const noexcept { return heap_.empty() ? Instant::never() : heap_.front().at; }

  void add(Instant at, EventKind kind, std::uint32_t index, std::uint32_t generation,
           std::uint64_t extra = 0) {
    heap_.push_back({at, sequence_++, extra, index, generation, kind});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  Event pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  static bool later(const Event& left, const Event& right) noexcept {
    return left.at != right.at ? left.at > right.at : left.sequence > right.sequence;
  }
  std::vector<Event> heap_;
  std::uint64_t sequence_ = 0;
};

}  // namespace hawser::sim::detail
