// Messages in and out of a queue, and everything that may become of one in between.
#include <hawser/bus/detail/queue.hpp>

#include <hawser/base/check.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

namespace hawser::bus::detail {
namespace {
constexpr auto later = [](const auto& left, const auto& right) { return left.at > right.at; };

std::int64_t milliseconds(Duration length) noexcept {
  return std::chrono::ceil<std::chrono::milliseconds>(length).count();
}
}  // namespace

std::string_view to_string(DeadLetterReason reason) noexcept {
  switch (reason) {
    case DeadLetterReason::rejected:
      return "rejected";
    case DeadLetterReason::deliveries:
      return "deliveries";
    case DeadLetterReason::expired:
      return "expired";
    case DeadLetterReason::overflow:
      return "overflow";
  }
  return "";
}

Queue::Queue(std::uint64_t number, std::string name, const QueueOptions& options, QueueHost& host)
    : number_(number), name_(std::move(name)), options_(options), host_(&host) {}

// ---- in
// -----------------------------------------------------------------------------------------------

Queue::Room Queue::room(std::size_t size) const noexcept {
  if (fits(size, 1)) [[likely]]
    return Room::yes;
  switch (options_.overflow) {
    case QueueOverflow::reject:
      return Room::no;
    case QueueOverflow::block:
      return fits(size, 2) ? Room::over : Room::no;
    default:
      return Room::yes;
  }
}

Queue::Room Queue::make_room(std::size_t size) {
  if (fits(size, 1)) [[likely]]
    return Room::yes;
  if (options_.overflow == QueueOverflow::reject || options_.overflow == QueueOverflow::block)
    return room(size);
  // All that could go would go in vain.
  if (reserved_messages_ + 1 > options_.messages || reserved_bytes_ + size > options_.bytes)
    return Room::no;
  while (!fits(size, 1)) {
    Entry oldest = take_oldest();
    if (!oldest.message) return Room::no;
    if (options_.overflow == QueueOverflow::dead_letter) {
      kill(std::move(oldest), DeadLetterReason::overflow);
    } else {
      ++counters_.dropped;
      drop(oldest);
    }
  }
  return Room::yes;
}

void Queue::push(MessagePtr message, bool stored, std::int64_t now) {
  ++counters_.in;
  ++messages_;
  bytes_ += message->size();
  if (!message->group().empty()) [[unlikely]] {
    ++grouped_;
    ++groups_[std::string(message->group())].messages;
  }
  Entry entry{std::move(message), next_sequence_++, now, 0, stored, false};
  if (entry.message->deliver_at() > now) [[unlikely]] {
    const std::int64_t at = entry.message->deliver_at();
    delay(std::move(entry), at);
    return;
  }
  // Somebody waits for it: it need not lie down first.
  if (ready_count_ == 0 && !busy_ && choosy_ == 0 && grouped_ == 0) [[likely]] {
    if (expired(entry, now)) [[unlikely]] {
      expire(std::move(entry));
      return;
    }
    if (Subscriber* consumer = next_consumer()) {
      give(*consumer, std::move(entry));
      return;
    }
  }
  enqueue(std::move(entry), true);
}

void Queue::restore(MessagePtr message, std::uint64_t sequence, std::uint32_t deliveries,
                    std::int64_t expires, std::int64_t now) {
  ++messages_;
  bytes_ += message->size();
  if (!message->group().empty()) {
    ++grouped_;
    ++groups_[std::string(message->group())].messages;
  }
  next_sequence_ = std::max(next_sequence_, sequence + 1);
  const std::int64_t at = message->deliver_at();
  // How long it has been here is told by when the queue would have let it expire.
  std::int64_t arrived = now;
  if (expires != 0 && expires != message->expires() && options_.message_ttl > Duration::zero())
    arrived = std::min(now, expires - milliseconds(options_.message_ttl));
  // Nobody knows who had it when the program ended.
  Entry entry{std::move(message), sequence, arrived, deliveries, true, true};
  if (at > now) {
    delay(std::move(entry), at);
  } else {
    enqueue(std::move(entry));
  }
}

Entry Queue::take_oldest() {
  // The least important first, and of those the one that waits longest.
  for (std::uint8_t priority = 0; priority <= highest_priority; ++priority) {
    trim(priority);
    if (!ready_[priority].empty()) return take_at(priority, 0);
  }
  return {};
}

std::int64_t Queue::expiry(const Message& message, std::int64_t now) const noexcept {
  const std::int64_t own = message.expires();
  if (options_.message_ttl == Duration::zero()) return own;
  const std::int64_t bound = now + milliseconds(options_.message_ttl);
  return own == 0 ? bound : std::min(own, bound);
}

void Queue::enqueue(Entry&& entry, bool fresh) {
  const std::uint8_t priority = entry.message->priority();
  if (const std::int64_t at = expiry_of(entry); at != 0) [[unlikely]] {
    if (expiries_.size() > 1'024 && expiries_.size() > 4 * messages_) {
      std::erase_if(expiries_, [this](const Expiry& each) {
        const auto& ring = ready_[each.priority];
        const std::size_t index = find(ring, each.sequence);
        return index == ring.size() || ring[index].sequence != each.sequence;
      });
      std::ranges::make_heap(expiries_, later);
    }
    expiries_.push_back({at, entry.sequence, priority});
    std::ranges::push_heap(expiries_, later);
    want(at);
  }
  auto& ring = ready_[priority];
  present_ |= 1U << priority;
  ++ready_count_;
  if (!fresh) {
    // It comes back: whoever looked past its place looks again.
    for (Subscriber* consumer : consumers_)
      if (consumer->seen != nullptr)
        (*consumer->seen)[priority] = std::min((*consumer->seen)[priority], entry.sequence);
  }
  if (ring.empty() || ring.back().sequence < entry.sequence) [[likely]] {
    ring.push_back(std::move(entry));
    return;
  }
  const std::size_t index = find(ring, entry.sequence);
  if (index < ring.size() && ring[index].sequence == entry.sequence) {
    ring[index] = std::move(entry);  // the hole it left
    --holes_[priority];
  } else {
    ring.insert(index, std::move(entry));
  }
}

void Queue::delay(Entry entry, std::int64_t at) {
  delayed_.push_back({at, std::move(entry)});
  std::ranges::push_heap(delayed_, later);
  want(at);
}

void Queue::want(std::int64_t at) {
  if (tick_at != 0 && tick_at <= at) return;
  tick_at = at;
  host_->wants_tick(*this, at);
}

void Queue::tick(std::int64_t now) {
  tick_at = 0;
  while (!delayed_.empty() && delayed_.front().at <= now) {
    std::ranges::pop_heap(delayed_, later);
    Entry entry = std::move(delayed_.back().entry);
    delayed_.pop_back();
    enqueue(std::move(entry));
  }
  while (!expiries_.empty() && expiries_.front().at <= now) {
    std::ranges::pop_heap(expiries_, later);
    const Expiry due = expiries_.back();
    expiries_.pop_back();
    auto& ring = ready_[due.priority];
    const std::size_t index = find(ring, due.sequence);
    if (index == ring.size() || ring[index].sequence != due.sequence || !ring[index].message)
      continue;
    expire(take_at(due.priority, index));
  }
  if (!delayed_.empty()) want(delayed_.front().at);
  if (!expiries_.empty()) want(expiries_.front().at);
}

// ---- out
// ----------------------------------------------------------------------------------------------

std::size_t Queue::find(const Ring<Entry>& ring, std::uint64_t sequence) const noexcept {
  std::size_t low = 0;
  std::size_t high = ring.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (ring[middle].sequence < sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void Queue::trim(std::uint8_t priority) noexcept {
  auto& ring = ready_[priority];
  while (holes_[priority] > 0 && !ring.empty() && !ring.front().message) {
    ring.pop_front();
    --holes_[priority];
  }
  if (ring.empty()) present_ &= ~(1U << priority);
}

Entry Queue::take_at(std::uint8_t priority, std::size_t index) {
  auto& ring = ready_[priority];
  --ready_count_;
  if (index == 0) {
    Entry entry = ring.pop_front();
    trim(priority);
    return entry;
  }
  Entry& hole = ring[index];
  Entry entry = std::exchange(hole, Entry{});
  hole.sequence = entry.sequence;
  if (++holes_[priority] > 64 && holes_[priority] > ring.size() / 2) {
    ring.filter([](const Entry& each) { return static_cast<bool>(each.message); });
    holes_[priority] = 0;
    if (ring.empty()) present_ &= ~(1U << priority);
  }
  return entry;
}

Subscriber* Queue::next_consumer() noexcept {
  const std::size_t count = consumers_.size();
  if (exclusives_ > 0) [[unlikely]] {
    for (Subscriber* consumer : consumers_)
      if (consumer->wish.exclusive) {
        busy_ = !consumer->has_room();
        return busy_ ? nullptr : consumer;
      }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (turn_ >= count) turn_ = 0;
    Subscriber* consumer = consumers_[turn_++];
    if (consumer->has_room()) return consumer;
  }
  busy_ = true;
  return nullptr;
}

void Queue::give(Subscriber& consumer, Entry&& entry) {
  ++entry.deliveries;
  ++counters_.out;
  const std::size_t size = entry.message->size();
  ++unsettled_;
  unsettled_bytes_ += size;
  if (entry.redelivered) [[unlikely]]
    ++counters_.redelivered;
  if (grouped_ > 0 && !entry.message->group().empty())
    groups_[std::string(entry.message->group())].owner = &consumer;
  ++consumer.unsettled;
  consumer.unsettled_bytes += size;
  Delivery delivery{consumer.number,  consumer.next_id++, entry.message,
                    entry.deliveries, entry.redelivered,  entry.sequence};
  consumer.held.push_back(std::move(entry));
  host_->deliver(consumer, std::move(delivery));
}

void Queue::dispatch(std::int64_t now) {
  for (std::size_t i = 0; i < browsers_.size();) {
    Subscriber* browser = browsers_[i];
    pump_browser(*browser, now);
    if (i < browsers_.size() && browsers_[i] == browser) ++i;  // else it has ended
  }
  if (ready_count_ == 0 || consumers_.empty() || busy_) return;
  if (choosy_ == 0 && grouped_ == 0) {
    dispatch_simply(now);
  } else {
    dispatch_picking(now);
  }
}

void Queue::dispatch_simply(std::int64_t now) {
  while (present_ != 0) {
    const auto priority = static_cast<std::uint8_t>(std::bit_width(present_) - 1);
    trim(priority);
    auto& ring = ready_[priority];
    if (ring.empty()) continue;
    // Long ago, or another core, has written them.
    constexpr std::size_t ahead = 3;
    if (ring.size() > ahead) __builtin_prefetch(ring[ahead].message.get());
    if (expired(ring.front(), now)) [[unlikely]] {
      expire(take_at(priority, 0));
      continue;
    }
    Subscriber* consumer = next_consumer();
    if (consumer == nullptr) return;
    --ready_count_;
    give(*consumer, ring.pop_front());
    if (ring.empty()) present_ &= ~(1U << priority);
  }
}

void Queue::dispatch_picking(std::int64_t now) {
  std::size_t fruitless = 0;
  while (ready_count_ > 0 && fruitless < consumers_.size()) {
    if (turn_ >= consumers_.size()) turn_ = 0;
    Subscriber* consumer = consumers_[turn_++];
    if (exclusives_ > 0) {
      consumer = *std::ranges::find_if(consumers_,
                                       [](const Subscriber* each) { return each->wish.exclusive; });
      fruitless = consumers_.size() - 1;
    }
    fruitless = consumer->has_room() && give_one_to(*consumer, now) ? 0 : fruitless + 1;
  }
}

bool Queue::give_one_to(Subscriber& consumer, std::int64_t now) {
  if (consumer.seen == nullptr)
    consumer.seen = std::make_unique<std::array<std::uint64_t, highest_priority + 1>>();
  for (int level = highest_priority; level >= 0; --level) {
    const auto priority = static_cast<std::uint8_t>(level);
    auto& ring = ready_[priority];
    auto& seen = (*consumer.seen)[priority];
    for (std::size_t index = find(ring, std::max(seen, consumer.wish.from)); index < ring.size();
         ++index) {
      Entry& entry = ring[index];
      if (!entry.message) continue;
      const std::uint64_t sequence = entry.sequence;
      if (expired(entry, now)) {
        expire(take_at(priority, index));
        index = find(ring, sequence + 1) - 1;  // wraps to before the first: ++ mends it
        continue;
      }
      seen = sequence + 1;
      if (!entry.message->group().empty()) {
        const auto group = groups_.find(std::string(entry.message->group()));
        if (group != groups_.end() && group->second.owner != nullptr &&
            group->second.owner != &consumer)
          continue;
      }
      if (!consumer.wants(*entry.message)) continue;
      give(consumer, take_at(priority, index));
      return true;
    }
  }
  return false;
}

void Queue::pump_browser(Subscriber& browser, std::int64_t now) {
  while (browser.has_room()) {
    auto& ring = ready_[browser.browse_priority];
    const std::size_t index = find(ring, browser.browse_next);
    if (index == ring.size() || ring[index].sequence >= browser.browse_end) {
      if (browser.browse_priority == 0) {
        std::erase(browsers_, &browser);
        host_->browse_ended(browser);
        return;
      }
      --browser.browse_priority;
      browser.browse_next = browser.wish.from;
      continue;
    }
    const Entry& entry = ring[index];
    browser.browse_next = entry.sequence + 1;
    if (!entry.message || expired(entry, now) || !browser.wants(*entry.message)) continue;
    const std::uint64_t id = browser.note_size(entry.message->size());
    host_->deliver(browser, {browser.number, id, entry.message, entry.deliveries + 1,
                             entry.redelivered, entry.sequence});
  }
}

// ---- consumers
// ----------------------------------------------------------------------------------------

void Queue::subscribe(Subscriber& consumer) {
  std::uint64_t& from = consumer.wish.from;
  if (from == Subscription::from_now) from = next_sequence_;
  // Nothing lies before it, nor will: it need not be asked for each message.
  if (messages_ == 0 && from <= next_sequence_) from = 0;
  if (consumer.wish.browse) {
    consumer.browse_next = from;
    consumer.browse_end = next_sequence_;
    browsers_.push_back(&consumer);
    return;
  }
  busy_ = false;
  consumers_.push_back(&consumer);
  if (consumer.choosy()) ++choosy_;
  if (consumer.wish.exclusive) ++exclusives_;
}

void Queue::unsubscribe(Subscriber& consumer, std::uint64_t last_seen, std::int64_t now) {
  if (consumer.wish.browse) {
    std::erase(browsers_, &consumer);
    return;
  }
  busy_ = false;
  const auto found = std::ranges::find(consumers_, &consumer);
  if (found == consumers_.end()) return;
  if (static_cast<std::size_t>(found - consumers_.begin()) < turn_) --turn_;
  consumers_.erase(found);
  if (consumer.choosy()) --choosy_;
  if (consumer.wish.exclusive) --exclusives_;
  release_groups_of(consumer);
  Ring<Entry> held = std::exchange(consumer.held, {});
  for (std::uint64_t id = consumer.first_id; !held.empty(); ++id) {
    Entry entry = held.pop_front();
    if (!entry.message) continue;
    --unsettled_;
    unsettled_bytes_ -= entry.message->size();
    requeue(std::move(entry), id <= last_seen, false, now);
  }
  consumer.unsettled = 0;
  consumer.unsettled_bytes = 0;
  consumer.first_id = consumer.next_id;
}

void Queue::release_groups_of(const Subscriber& consumer) {
  bool any = false;
  for (auto group = groups_.begin(); group != groups_.end();) {
    if (group->second.owner != &consumer) {
      ++group;
      continue;
    }
    any = true;
    group->second.owner = nullptr;
    group = group->second.messages == 0 ? groups_.erase(group) : std::next(group);
  }
  if (!any) return;
  for (Subscriber* other : consumers_)
    if (other->seen != nullptr) other->seen->fill(0);
}

void Queue::settle(Subscriber& consumer, std::uint64_t first, std::uint64_t last, Outcome outcome,
                   std::int64_t now) {
  busy_ = false;
  if (consumer.wish.browse) {
    consumer.settle_sizes(first, last);
    return;
  }
  if (last >= consumer.next_id) last = consumer.next_id - 1;
  if (first <= consumer.first_id && consumer.in_transactions == 0) [[likely]] {
    // The usual way: from the front on.
    constexpr std::size_t ahead = 4;
    for (std::uint64_t id = consumer.first_id; id <= last; ++id) {
      if (consumer.held.size() > ahead) __builtin_prefetch(consumer.held[ahead].message.get());
      Entry entry = consumer.held.pop_front();
      ++consumer.first_id;
      if (entry.message) settle_one(consumer, std::move(entry), outcome, now);
    }
  } else {
    for (std::uint64_t id = std::max(first, consumer.first_id); id <= last; ++id) {
      Entry& each = consumer.held[id - consumer.first_id];
      if (each.message) settle_one(consumer, std::exchange(each, Entry{}), outcome, now);
    }
  }
  trim_held(consumer);
}

void Queue::trim_held(Subscriber& consumer) noexcept {
  while (!consumer.held.empty() && !consumer.held.front().message &&
         consumer.held.front().deliveries != in_transaction) {
    consumer.held.pop_front();
    ++consumer.first_id;
  }
}

void Queue::settle_one(Subscriber& consumer, Entry&& entry, Outcome outcome, std::int64_t now) {
  --consumer.unsettled;
  const std::size_t size = entry.message->size();
  consumer.unsettled_bytes -= size;
  --unsettled_;
  unsettled_bytes_ -= size;
  switch (outcome) {
    case Outcome::accepted:
      ++counters_.settled;
      drop(entry);
      return;
    case Outcome::discarded:
      ++counters_.dropped;
      drop(entry);
      return;
    case Outcome::released:
      requeue(std::move(entry), true, true, now);
      return;
    case Outcome::unread:
      requeue(std::move(entry), false, false, now);
      return;
    case Outcome::rejected:
      kill(std::move(entry), DeadLetterReason::rejected);
      return;
  }
}

void Queue::requeue(Entry entry, bool seen, bool wait, std::int64_t now) {
  busy_ = false;
  if (!seen) {
    --entry.deliveries;
  } else {
    entry.redelivered = true;
    if (entry.deliveries >= options_.deliveries) {
      kill(std::move(entry), DeadLetterReason::deliveries);
      return;
    }
    if (entry.stored) host_->stored_delivered(*this, entry);
    if (wait && options_.requeue_delay > Duration::zero()) {
      delay(std::move(entry), now + milliseconds(options_.requeue_delay));
      return;
    }
  }
  enqueue(std::move(entry));
}

// ---- ends
// ---------------------------------------------------------------------------------------------

void Queue::forget(const Entry& entry) {
  --messages_;
  bytes_ -= entry.message->size();
  if (grouped_ == 0 || entry.message->group().empty()) [[likely]]
    return;
  --grouped_;
  const auto group = groups_.find(std::string(entry.message->group()));
  if (group == groups_.end() || --group->second.messages > 0) return;
  // Its consumer keeps it, for what may still come, as long as such groups are not too many.
  if (group->second.owner == nullptr || groups_.size() > idle_groups) groups_.erase(group);
}

void Queue::drop(const Entry& entry) {
  forget(entry);
  if (entry.stored) host_->stored_gone(*this, entry.sequence);
}

void Queue::expire(Entry entry) {
  ++counters_.expired;
  if (options_.dead_letter_expired) {
    kill(std::move(entry), DeadLetterReason::expired);
  } else {
    drop(entry);
  }
}

void Queue::kill(Entry entry, DeadLetterReason reason) {
  forget(entry);
  if (!options_.dead_letters) {
    if (reason != DeadLetterReason::expired) ++counters_.dropped;
    if (entry.stored) host_->stored_gone(*this, entry.sequence);
    return;
  }
  ++counters_.dead_lettered;
  host_->dead_letter(*this, std::move(entry), reason);
}

std::int64_t Queue::oldest() const noexcept {
  std::int64_t oldest = 0;
  for (const auto& ring : ready_)
    for (std::size_t i = 0; i < ring.size(); ++i)
      if (ring[i].message) {
        if (oldest == 0 || ring[i].arrived < oldest) oldest = ring[i].arrived;
        break;
      }
  for (const Subscriber* consumer : consumers_)
    for (std::size_t i = 0; i < consumer->held.size(); ++i)
      if (consumer->held[i].message) {
        if (oldest == 0 || consumer->held[i].arrived < oldest) oldest = consumer->held[i].arrived;
        break;
      }
  return oldest;
}

// ---- transactions
// -------------------------------------------------------------------------------------

bool Queue::hold(Subscriber& consumer, const Settlement& settlement,
                 std::vector<HeldDelivery>& held) {
  if (consumer.wish.browse || settlement.first < consumer.first_id ||
      settlement.last >= consumer.next_id || settlement.first > settlement.last)
    return false;
  for (std::uint64_t id = settlement.first; id <= settlement.last; ++id)
    if (!consumer.held[id - consumer.first_id].message) return false;
  for (std::uint64_t id = settlement.first; id <= settlement.last; ++id) {
    Entry& left = consumer.held[id - consumer.first_id];
    held.push_back({std::exchange(left, Entry{}), consumer.number, id, settlement.outcome});
    // They go on to count as its unsettled ones, and keep their places, until the decision.
    left.deliveries = in_transaction;
    ++consumer.in_transactions;
  }
  return true;
}

bool Queue::leave_transaction(const HeldDelivery& held, Subscriber* consumer) noexcept {
  if (consumer == nullptr || held.id < consumer->first_id || held.id >= consumer->next_id)
    return false;
  Entry& left = consumer->held[held.id - consumer->first_id];
  if (left.deliveries != in_transaction) return false;
  left.deliveries = 0;
  --consumer->in_transactions;
  return true;
}

void Queue::finish(HeldDelivery held, Subscriber* consumer, std::int64_t now) {
  busy_ = false;
  if (leave_transaction(held, consumer)) {
    settle_one(*consumer, std::move(held.entry), held.outcome, now);
    trim_held(*consumer);
    return;
  }
  Subscriber gone;
  gone.unsettled = 1;
  gone.unsettled_bytes = held.entry.message->size();
  settle_one(gone, std::move(held.entry), held.outcome, now);
}

void Queue::give_back(HeldDelivery held, Subscriber* consumer, std::int64_t now) {
  if (leave_transaction(held, consumer)) {
    consumer->held[held.id - consumer->first_id] = std::move(held.entry);
    return;
  }
  --unsettled_;
  unsettled_bytes_ -= held.entry.message->size();
  requeue(std::move(held.entry), true, false, now);
}

bool Queue::reserve(std::uint64_t messages, std::uint64_t bytes) noexcept {
  const bool makes_room = options_.overflow == QueueOverflow::drop_oldest ||
                          options_.overflow == QueueOverflow::dead_letter;
  const std::uint64_t held_messages = makes_room ? 0 : messages_;
  const std::uint64_t held_bytes = makes_room ? 0 : bytes_;
  if (held_messages + reserved_messages_ + messages > room_factor() * options_.messages ||
      held_bytes + reserved_bytes_ + bytes > room_factor() * options_.bytes)
    return false;
  reserved_messages_ += messages;
  reserved_bytes_ += bytes;
  return true;
}

}  // namespace hawser::bus::detail
