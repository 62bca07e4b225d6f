// A queue as one would explain it: a list of messages in the order in which they came, each waiting
// or in somebody's hands. Slow and obvious; it judges what the real one does. Internal to tests.
#pragma once

#include <hawser/bus/subscription.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hawser::bus::testing {

class QueueModel {
 public:
  struct Item {
    std::uint64_t id = 0;
    int priority = 4;
    std::string group;
    std::int64_t expires = 0;
    std::int64_t ready_at = 0;
    std::uint32_t deliveries = 0;
    bool redelivered = false;
    std::uint64_t holder = 0;  // a consumer's number; 0: it waits
    std::uint64_t delivery = 0;
    bool in_transaction = false;
  };
  struct Member {
    std::uint32_t prefetch = 1;
    int wants = 0;  // only ids that this divides; 0: all
    bool exclusive = false;
    std::uint64_t from = 0;  // ids below are not for it
    std::uint64_t last_delivery = 0;
  };

  explicit QueueModel(std::uint32_t deliveries, std::int64_t requeue_delay)
      : deliveries_(deliveries), requeue_delay_(requeue_delay) {}

  std::vector<std::string> faults;
  std::map<std::uint64_t, Item> items;  // by id, and ids are given in order
  std::map<std::uint64_t, Member> members;
  std::vector<std::uint64_t> order;  // members as they came
  std::multiset<std::string> dead;   // "id reason"
  std::set<std::uint64_t> left;      // held by a transaction when their consumer went

  void push(Item item) { items.emplace(item.id, std::move(item)); }
  void subscribe(std::uint64_t number, Member member) {
    members.emplace(number, member);
    order.push_back(number);
  }
  void unsubscribe(std::uint64_t number, std::uint64_t last_seen, std::int64_t now) {
    std::vector<std::uint64_t> held;
    for (const auto& [id, item] : items)
      if (item.holder == number && !item.in_transaction) held.push_back(id);
    for (const auto& [id, item] : items)
      if (item.holder == number && item.in_transaction) left.insert(id);
    members.erase(number);
    std::erase(order, number);
    owners_.clear_of(number);
    for (const std::uint64_t id : held) release(id, items.at(id).delivery <= last_seen, false, now);
  }
  void settle(std::uint64_t number, std::uint64_t first, std::uint64_t last, Outcome outcome,
              std::int64_t now) {
    std::vector<std::uint64_t> held;
    for (const auto& [id, item] : items)
      if (item.holder == number && !item.in_transaction && item.delivery >= first &&
          item.delivery <= last)
        held.push_back(id);
    for (const std::uint64_t id : held) settle_one(id, outcome, now);
  }
  void settle_one(std::uint64_t id, Outcome outcome, std::int64_t now) {
    switch (outcome) {
      case Outcome::accepted:
      case Outcome::discarded:
        items.erase(id);
        return;
      case Outcome::rejected:
        dead.insert(std::to_string(id) + " rejected");
        items.erase(id);
        return;
      case Outcome::released:
        release(id, true, true, now);
        return;
      case Outcome::unread:
        release(id, false, false, now);
        return;
    }
  }
  void release(std::uint64_t id, bool seen, bool wait, std::int64_t now) {
    left.erase(id);
    Item& item = items.at(id);
    item.holder = 0;
    item.in_transaction = false;
    if (!seen) {
      --item.deliveries;
      return;
    }
    item.redelivered = true;
    if (item.deliveries >= deliveries_) {
      dead.insert(std::to_string(id) + " deliveries");
      items.erase(id);
      return;
    }
    if (wait) item.ready_at = now + requeue_delay_;
  }

  /// The real one gave this to that consumer: was it right?
  void delivered(std::uint64_t number, std::uint64_t delivery, std::uint64_t id,
                 std::uint32_t count, bool redelivered, std::int64_t now) {
    const std::string what =
        "message " + std::to_string(id) + " to consumer " + std::to_string(number);
    const auto found = items.find(id);
    const auto member = members.find(number);
    if (found == items.end() || member == members.end()) {
      faults.push_back(what + ": no such message or consumer");
      return;
    }
    Item& item = found->second;
    if (!suits(item, number, now)) faults.push_back(what + ": not for it, or not now");
    if (held_by(number) >= member->second.prefetch) faults.push_back(what + ": too many");
    for (const auto& [other_id, other] : items)
      if (other_id != id && suits(other, number, now) &&
          (other.priority > item.priority || (other.priority == item.priority && other_id < id)))
        faults.push_back(what + ": " + std::to_string(other_id) + " comes first");
    if (delivery != ++member->second.last_delivery) faults.push_back(what + ": wrong number");
    item.holder = number;
    item.delivery = delivery;
    if (count != ++item.deliveries) faults.push_back(what + ": wrong count");
    if (redelivered != item.redelivered) faults.push_back(what + ": redelivered is wrong");
    if (!item.group.empty()) owners_.owner[item.group] = number;
  }
  /// After a dispatch: nothing is left that somebody could have.
  void complete(std::int64_t now) {
    for (const auto& [number, member] : members)
      if (held_by(number) < member.prefetch)
        for (const auto& [id, item] : items)
          if (suits(item, number, now))
            faults.push_back("message " + std::to_string(id) + " was not given to consumer " +
                             std::to_string(number));
  }
  /// Every message that has expired by now and waits is gone; what else waits is still there.
  void expire(std::int64_t now) {
    std::erase_if(items, [now](const auto& each) {
      const Item& item = each.second;
      return item.holder == 0 && !item.in_transaction && item.ready_at <= now &&
             item.expires != 0 && item.expires <= now;
    });
  }

 private:
  struct Owners {
    std::map<std::string, std::uint64_t> owner;
    void clear_of(std::uint64_t number) {
      std::erase_if(owner, [number](const auto& each) { return each.second == number; });
    }
  };
  std::size_t held_by(std::uint64_t number) const {
    std::size_t held = 0;
    for (const auto& [id, item] : items)
      if (item.holder == number && !left.contains(id)) ++held;
    return held;
  }
  bool suits(const Item& item, std::uint64_t number, std::int64_t now) const {
    if (item.holder != 0 || item.in_transaction || item.ready_at > now) return false;
    if (item.expires != 0 && item.expires <= now) return false;
    const Member& member = members.at(number);
    if (item.id < member.from) return false;
    for (const std::uint64_t each : order)
      if (members.at(each).exclusive) {
        if (each != number) return false;
        break;
      }
    if (member.wants != 0 && item.id % static_cast<std::uint64_t>(member.wants) != 0) return false;
    const auto owner = owners_.owner.find(item.group);
    return item.group.empty() || owner == owners_.owner.end() || owner->second == number;
  }

  std::uint32_t deliveries_;
  std::int64_t requeue_delay_;
  Owners owners_;
};

}  // namespace hawser::bus::testing
