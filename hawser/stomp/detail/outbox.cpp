// Two maps by number: so that whatever comes back finds its old place.
#include <hawser/stomp/detail/outbox.hpp>

#include <algorithm>

namespace hawser::stomp::detail {

void Outbox::put(Entry entry) {
  bytes_ += entry.message.body.size();
  if (entry.deadline != Instant::never()) deadlines_.emplace(entry.deadline, entry.number);
  const std::uint64_t number = entry.number;
  waiting_.emplace_hint(waiting_.end(), number, std::move(entry));
}

Outbox::Entry Outbox::remove(std::map<std::uint64_t, Entry>::iterator at) {
  Entry entry = std::move(at->second);
  waiting_.erase(at);
  bytes_ -= entry.message.body.size();
  if (entry.deadline != Instant::never()) deadlines_.erase({entry.deadline, entry.number});
  return entry;
}

void Outbox::add(Entry entry) {
  entry.number = ++last_;
  put(std::move(entry));
}

std::optional<Outbox::Entry> Outbox::drop_oldest() {
  const auto oldest = std::find_if(waiting_.begin(), waiting_.end(), [](const auto& each) {
    return each.second.kind == Kind::message;
  });
  if (oldest == waiting_.end()) return std::nullopt;
  return remove(oldest);
}

Outbox::Entry Outbox::take() { return remove(waiting_.begin()); }

void Outbox::keep_in_flight(Entry entry) {
  const std::uint64_t number = entry.number;
  in_flight_.emplace_hint(in_flight_.end(), number, std::move(entry));
}

std::optional<Outbox::Entry> Outbox::landed(std::uint64_t number) {
  const auto found = in_flight_.find(number);
  if (found == in_flight_.end()) return std::nullopt;
  Entry entry = std::move(found->second);
  in_flight_.erase(found);
  return entry;
}

Outbox::Torn Outbox::tear(std::uint32_t attempts) {
  Torn torn;
  auto flown = std::exchange(in_flight_, {});
  if (!flown.empty()) ++flown.begin()->second.suspicions;
  for (auto& [number, entry] : flown) {
    const bool repeats = entry.kind == Kind::message &&
                         entry.message.confirm == Confirm::at_least_once &&
                         entry.message.transaction == TransactionId{};
    if (!repeats) {
      torn.lost.push_back(std::move(entry));
    } else if (entry.suspicions >= attempts) {
      torn.given_up.push_back(std::move(entry));
    } else {
      ++torn.again;
      put(std::move(entry));
    }
  }
  return torn;
}

std::deque<Outbox::Entry> Outbox::remove_transactions() {
  std::deque<Entry> removed;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto next = std::next(at);
    if (at->second.message.transaction != TransactionId{}) removed.push_back(remove(at));
    at = next;
  }
  return removed;
}

std::optional<Outbox::Entry> Outbox::take_overdue(Instant now) {
  if (deadlines_.empty() || now < deadlines_.begin()->first) return std::nullopt;
  return remove(waiting_.find(deadlines_.begin()->second));
}

std::deque<Outbox::Entry> Outbox::clear() {
  std::deque<Entry> all;
  for (auto& [number, entry] : in_flight_) all.push_back(std::move(entry));
  in_flight_.clear();
  while (!waiting_.empty()) all.push_back(take());
  return all;
}

}  // namespace hawser::stomp::detail
