// What waits in a queue, and whose turn it is.
#include <hawser/bus/queue.hpp>

#include <algorithm>
#include <utility>

namespace hawser::bus {

Queue::Accepted Queue::push(MessagePtr message) {
  const std::uint64_t size = message->size();
  const auto full = [&] {
    return messages_.size() >= limits_->messages || bytes_ + size > limits_->bytes;
  };
  if (full()) {
    if (limits_->overflow == QueueOverflow::reject) return Accepted::full;
    while (full() && !messages_.empty()) {
      pop();
      ++dropped_;
    }
    if (full()) return Accepted::full;  // larger than the whole queue may be
  }
  bytes_ += size;
  messages_.push_back(std::move(message));
  return Accepted::yes;
}

MessagePtr Queue::pop() {
  MessagePtr message = std::move(messages_.front());
  messages_.pop_front();
  bytes_ -= message->size();
  return message;
}

void Queue::subscribe(SubscriptionId id, std::uint32_t credit) {
  consumers_.push_back({id, credit});
}

bool Queue::unsubscribe(SubscriptionId id, std::uint32_t taken) {
  const auto found = std::ranges::find(consumers_, id, &Consumer::id);
  if (found == consumers_.end()) return false;
  auto& under_way = found->under_way;
  for (; under_way.size() > taken; under_way.pop_back()) {
    bytes_ += under_way.back()->size();
    messages_.push_front(std::move(under_way.back()));
  }
  erase(found);
  return true;
}

bool Queue::forget(SubscriptionId id) {
  const auto found = std::ranges::find(consumers_, id, &Consumer::id);
  if (found == consumers_.end()) return false;
  erase(found);
  return true;
}

void Queue::erase(Place place) {
  // Whoever was to be asked next stays next.
  const auto at = static_cast<std::size_t>(place - consumers_.begin());
  consumers_.erase(place);
  if (at < turn_) --turn_;
}

void Queue::grant(SubscriptionId id, std::uint32_t credit) {
  const auto found = std::ranges::find(consumers_, id, &Consumer::id);
  if (found == consumers_.end()) return;
  found->credit += credit;
  auto& under_way = found->under_way;
  const std::size_t taken = std::min<std::size_t>(credit, under_way.size());
  under_way.erase(under_way.begin(), under_way.begin() + static_cast<std::ptrdiff_t>(taken));
}

Queue::Consumer* Queue::next_consumer() noexcept {
  for (std::size_t tried = 0; tried < consumers_.size(); ++tried) {
    if (turn_ >= consumers_.size()) turn_ = 0;
    Consumer& consumer = consumers_[turn_++];
    if (consumer.credit > 0) return &consumer;
  }
  return nullptr;
}

}  // namespace hawser::bus
