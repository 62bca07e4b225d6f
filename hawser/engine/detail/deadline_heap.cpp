// A binary heap of deadlines by socket; what was cancelled is skipped when it comes up.
#include <hawser/engine/detail/deadline_heap.hpp>

#include <algorithm>

namespace hawser::detail {

void DeadlineHeap::add(Instant at, SocketId id) {
  entries_.push_back({at, added_++, id});
  std::push_heap(entries_.begin(), entries_.end());
}

bool DeadlineHeap::take_due(Instant now, SocketId& id) {
  if (entries_.empty() || entries_.front().at > now) return false;
  id = entries_.front().id;
  pop();
  return true;
}

void DeadlineHeap::pop() {
  std::pop_heap(entries_.begin(), entries_.end());
  entries_.pop_back();
}

void DeadlineHeap::rebuild() { std::make_heap(entries_.begin(), entries_.end()); }

}  // namespace hawser::detail
