// First in, first out, within the limits.
#include <hawser/noam/ear_queue.hpp>

#include <algorithm>
#include <utility>

namespace hawser::noam {

bool EarQueue::push(Item item) {
  const std::size_t size = item.size();
  const auto full = [&] {
    return items_.size() >= options_->ear_events || bytes_ + size > options_->ear_bytes;
  };
  if (full()) {
    if (options_->ear_overflow == EarOverflow::end) return false;
    if (options_->ear_overflow == EarOverflow::drop_newest || size > options_->ear_bytes) {
      ++dropped_;
      return true;
    }
    while (full()) {
      pop();
      ++dropped_;
    }
  }
  bytes_ += size;
  items_.push_back(std::move(item));
  return true;
}

void EarQueue::pop() {
  bytes_ -= items_.front().size();
  items_.pop_front();
}

bool EarQueue::add(std::shared_ptr<const RelayedEvent> event, Instant now) {
  if (!attenuated_) return push({std::move(event)});
  Topic& topic = topics_[event->topic()];
  if (now < topic.free_at) {
    // The newest replaces what was held.
    const std::size_t others = held_bytes_ - (topic.held ? topic.held->framed().size() : 0);
    if (others + event->framed().size() > options_->ear_bytes) {
      if (options_->ear_overflow == EarOverflow::end) return false;
      ++dropped_;
      return true;
    }
    held_bytes_ = others + event->framed().size();
    topic.held = std::move(event);
    return true;
  }
  topic.free_at = now + options_->attenuation;
  return push({std::move(event)});
}

bool EarQueue::add_ack(std::string json) { return push({nullptr, std::move(json)}); }

Instant EarQueue::tick(Instant now, bool& fits) {
  fits = true;
  for (auto& [name, topic] : topics_) {
    if (topic.held == nullptr || topic.free_at > now) continue;
    topic.free_at = now + options_->attenuation;
    held_bytes_ -= topic.held->framed().size();
    if (!push({std::exchange(topic.held, nullptr)})) fits = false;
  }
  return next_tick();
}

Instant EarQueue::next_tick() const noexcept {
  Instant next = Instant::never();
  for (const auto& [name, topic] : topics_)
    if (topic.held != nullptr) next = std::min(next, topic.free_at);
  return next;
}

}  // namespace hawser::noam
