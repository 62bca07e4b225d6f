// Members of a topic and what waits for the slow ones.
#include <hawser/bus/topic.hpp>

#include <algorithm>

namespace hawser::bus {

void Topic::subscribe(SubscriptionId id, std::uint32_t credit) {
  members_.push_back({id, credit, 0, {}});
}

Topic::Member* Topic::find(SubscriptionId id) noexcept {
  const auto found = std::ranges::find(members_, id, &Member::id);
  return found == members_.end() ? nullptr : &*found;
}

bool Topic::unsubscribe(SubscriptionId id) {
  return std::erase_if(members_, [&](const Member& member) { return member.id == id; }) != 0;
}

bool Topic::keep(Member& member, const MessagePtr& message) {
  const std::uint64_t size = message->size();
  const auto full = [&] {
    return member.waiting.size() >= limits_->waiting_messages ||
           member.waiting_bytes + size > limits_->waiting_bytes;
  };
  if (full()) {
    switch (limits_->slow) {
      case SlowSubscriber::end:
        return false;
      case SlowSubscriber::drop_newest:
        ++dropped_;
        return true;
      case SlowSubscriber::drop_oldest:
        while (full() && !member.waiting.empty()) {
          member.waiting_bytes -= member.waiting.front()->size();
          member.waiting.pop_front();
          ++dropped_;
        }
        if (full()) {  // larger than the whole limit
          ++dropped_;
          return true;
        }
    }
  }
  member.waiting.push_back(message);
  member.waiting_bytes += size;
  return true;
}

std::uint64_t Topic::waiting_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& member : members_) bytes += member.waiting_bytes;
  return bytes;
}

}  // namespace hawser::bus
