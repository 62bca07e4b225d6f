// A topic: every subscriber gets every message, each at its own pace within its limit. Pure data,
// no I/O and no process, so that a model can check it. Internal to the bus.
#pragma once

#include <hawser/bus/subscription.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace hawser::bus {

class Topic {
 public:
  explicit Topic(const TopicLimits& limits) noexcept : limits_(&limits) {}

  void subscribe(SubscriptionId id, std::uint32_t credit);
  /// False when there was none.
  bool unsubscribe(SubscriptionId id);
  bool empty() const noexcept { return members_.empty(); }
  std::size_t subscribers() const noexcept { return members_.size(); }

  /// Calls `deliver(id, message)` for each subscriber with credit, keeps it for the others, and
  /// `too_slow(id)` for those whose limit ends them: they are gone from the topic already.
  template <class Deliver, class TooSlow>
  void publish(const MessagePtr& message, Deliver&& deliver, TooSlow&& too_slow) {
    for (std::size_t i = 0; i < members_.size();) {
      Member& member = members_[i];
      if (member.credit > 0 && member.waiting.empty()) {
        --member.credit;
        deliver(member.id, message);
        ++i;
      } else if (keep(member, message)) {
        ++i;
      } else {
        const SubscriptionId id = member.id;
        members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(i));
        too_slow(id);
      }
    }
  }

  /// The subscriber can take `credit` more; what waited is delivered first.
  template <class Deliver>
  void grant(SubscriptionId id, std::uint32_t credit, Deliver&& deliver) {
    Member* member = find(id);
    if (member == nullptr) return;
    member->credit += credit;
    while (member->credit > 0 && !member->waiting.empty()) {
      const MessagePtr message = std::move(member->waiting.front());
      member->waiting.pop_front();
      member->waiting_bytes -= message->size();
      --member->credit;
      deliver(id, message);
    }
  }

  std::uint64_t dropped() const noexcept { return dropped_; }
  std::uint64_t waiting_bytes() const noexcept;

 private:
  struct Member {
    SubscriptionId id;
    std::uint32_t credit = 0;
    std::uint64_t waiting_bytes = 0;
    std::deque<MessagePtr> waiting;
  };
  Member* find(SubscriptionId id) noexcept;
  /// Keeps the message for later; false when the limit ends this subscriber.
  bool keep(Member& member, const MessagePtr& message);

  const TopicLimits* limits_;
  std::vector<Member> members_;
  std::uint64_t dropped_ = 0;
};

}  // namespace hawser::bus
