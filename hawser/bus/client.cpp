// One process's requests, gathered by shard and turn, and the shards' answers.
#include <hawser/bus/client.hpp>

#include <hawser/base/check.hpp>
#include <hawser/bus/detail/protocol.hpp>
#include <hawser/bus/detail/shard.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/self.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace hawser::bus {

struct Client::State {
  struct Slot {
    Destination to;
    std::uint32_t shard = 0;
    std::uint32_t generation = 0;
    bool attached = false;
    std::uint64_t used = 0;  // in which batch of its shard
  };
  struct Sent {
    std::uint64_t echo = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  struct Shard {
    detail::Batch batch;
    std::uint64_t number = 1;  // of the batch that is gathered now
    std::uint64_t bytes = 0;   // in it
    Sent since_echo;           // sent and covered by no echo that was asked for
    std::deque<Sent> echoes;   // asked for
    std::uint64_t messages_away = 0;
    std::uint64_t bytes_away = 0;
    bool over = false;  // the window is full
    bool held = false;  // one of its queues is full
    bool empty() const noexcept {
      return batch.publishes.empty() && batch.settlements.empty() && batch.attaches.empty();
    }
  };
  /// A transaction over several shards.
  struct Commit {
    std::uint64_t token = 0;
    std::vector<std::uint32_t> shards;
    std::vector<std::uint32_t> prepared;
    std::size_t answered = 0;
    std::size_t committed = 0;
    std::optional<Error> error;
  };

  State(Bus the_bus, ClientEvents& the_events, ClientOptions the_options)
      : bus(std::move(the_bus)),
        events(&the_events),
        options(the_options),
        me(self().pid()),
        shards(bus.shards().size()) {}

  Ref<detail::Shard> shard(std::size_t index) const {
    return Ref<detail::Shard>(bus.shards()[index]);
  }
  std::uint32_t home(const Destination& to) const {
    return static_cast<std::uint32_t>(bus.shard_of(to));
  }
  std::uint32_t home(std::uint64_t subscription) const {
    const auto found = subscriptions.find(subscription);
    return found == subscriptions.end() ? 0 : found->second;
  }

  Bus bus;
  ClientEvents* events;
  ClientOptions options;
  Pid me;
  std::vector<Shard> shards;
  std::vector<Slot> slots;
  std::uint32_t next_slot = 0;
  std::map<Destination, std::uint32_t> slot_of;
  std::unordered_map<std::uint64_t, std::uint32_t> subscriptions;  // to their shards
  std::map<std::uint64_t, Commit> commits;
  std::uint64_t last_commit = 0;
  std::uint64_t undecided = 0;  // the commit whose decision is awaited
  std::vector<std::move_only_function<void()>> put_off;
};

Client::Client(Bus bus, ClientEvents& events, ClientOptions options)
    : state_(std::make_unique<State>(std::move(bus), events, options)) {}
Client::~Client() = default;

std::size_t Client::subscriptions() const noexcept { return state_->subscriptions.size(); }

// ---- publishing
// ---------------------------------------------------------------------------------------

Sender Client::sender(const Destination& to) {
  check(to.kind != Destination::Kind::subscription, "only topics fill a durable subscription");
  State& s = *state_;
  const auto found = s.slot_of.find(to);
  if (found != s.slot_of.end()) return {found->second, s.slots[found->second].generation};
  const std::uint32_t number = s.next_slot;
  s.next_slot = (s.next_slot + 1) % std::max(2U, s.options.senders);
  // Not before they are needed: most clients only listen.
  if (number == s.slots.size()) s.slots.emplace_back();
  State::Slot& slot = s.slots[number];
  if (slot.attached) {
    // What was gathered under this number leaves before the number means something else.
    if (slot.used == s.shards[slot.shard].number) flush_shard(slot.shard);
    if (slot.shard != s.home(to)) {
      s.shards[slot.shard].batch.attaches.push_back({number, true, {}});
      gathered_ = true;
    }
  }
  if (slot.generation != 0) s.slot_of.erase(slot.to);
  slot.to = to;
  slot.shard = s.home(to);
  slot.attached = false;
  slot.used = 0;
  ++slot.generation;
  s.slot_of.emplace(to, number);
  return {number, slot.generation};
}

bool Client::publish(Sender to, MessagePtr& message, std::uint64_t token) {
  State& s = *state_;
  if (to.slot >= s.slots.size()) return false;
  State::Slot& slot = s.slots[to.slot];
  if (slot.generation != to.generation) return false;
  if (s.undecided != 0) [[unlikely]] {
    s.put_off.emplace_back([this, where = slot.to, kept = std::move(message), token]() mutable {
      publish(where, std::move(kept), token);
    });
    return true;
  }
  State::Shard& shard = s.shards[slot.shard];
  if (!slot.attached) [[unlikely]] {
    slot.attached = true;
    shard.batch.attaches.push_back({to.slot, false, slot.to});
  }
  slot.used = shard.number;
  shard.bytes += message->size();
  shard.batch.publishes.push_back({to.slot, std::move(message), token});
  gathered_ = true;
  return true;
}

void Client::publish(const Destination& to, MessagePtr message, std::uint64_t token) {
  publish(sender(to), message, token);
}

// ---- queues and subscriptions
// -------------------------------------------------------------------------

void Client::declare(const Destination& queue, const QueueOptions& options, bool temporary,
                     std::uint64_t token) {
  send(state_->home(queue), detail::Declare{state_->me, queue, options, temporary, token});
}

void Client::remove(const Destination& queue, bool force, std::uint64_t token) {
  send(state_->home(queue), detail::Remove{state_->me, queue, force, token});
}

void Client::subscribe(std::uint64_t number, Subscription subscription, std::uint64_t token) {
  State& s = *state_;
  if (s.undecided != 0) {
    s.put_off.emplace_back([this, number, kept = std::move(subscription), token]() mutable {
      subscribe(number, std::move(kept), token);
    });
    return;
  }
  // A number in use is refused by the shard that knows it.
  const auto [known, added] = s.subscriptions.try_emplace(number, s.home(subscription.to));
  const bool duplicate = !added;
  send(known->second, detail::Subscribe{s.me, number, std::move(subscription), token, duplicate});
}

void Client::unsubscribe(std::uint64_t number, std::uint64_t last_seen, std::uint64_t token) {
  State& s = *state_;
  if (s.undecided != 0) {
    s.put_off.emplace_back(
        [this, number, last_seen, token] { unsubscribe(number, last_seen, token); });
    return;
  }
  const std::uint32_t shard = s.home(number);
  s.subscriptions.erase(number);
  send(shard, detail::Unsubscribe{s.me, number, last_seen, token});
}

void Client::settle(const Settlement& settlement, std::uint64_t token) {
  State& s = *state_;
  if (s.undecided != 0) [[unlikely]] {
    s.put_off.emplace_back([this, settlement, token] { settle(settlement, token); });
    return;
  }
  auto& settlements = s.shards[s.home(settlement.subscription)].batch.settlements;
  if (!settlements.empty()) {
    // One after another, as they are written: one range.
    auto& last = settlements.back();
    if (last.token == 0 && last.what.subscription == settlement.subscription &&
        last.what.outcome == settlement.outcome && last.what.last + 1 == settlement.first) {
      last.what.last = settlement.last;
      last.token = token;
      return;
    }
  }
  settlements.push_back({settlement, token});
  gathered_ = true;
}

template <class Request>
void Client::send(std::uint32_t shard, Request request) {
  State& s = *state_;
  if (s.undecided != 0) {
    s.put_off.emplace_back(
        [this, shard, kept = std::move(request)]() mutable { send(shard, std::move(kept)); });
    return;
  }
  flush_shard(shard);  // done in the order asked
  s.shard(shard).cast(std::move(request));
}

// ---- transactions
// -------------------------------------------------------------------------------------

void Client::commit(Transaction transaction, std::uint64_t token) {
  State& s = *state_;
  if (s.undecided != 0) {
    s.put_off.emplace_back(
        [this, kept = std::move(transaction), token]() mutable { commit(std::move(kept), token); });
    return;
  }
  std::map<std::uint32_t, detail::Prepare> parts;
  for (auto& publish : transaction.publishes_) {
    check(publish.to.kind != Destination::Kind::subscription,
          "only topics fill a durable subscription");
    parts[s.home(publish.to)].publishes.push_back(std::move(publish));
  }
  for (const auto& settlement : transaction.settlements_)
    parts[s.home(settlement.subscription)].settlements.push_back(settlement);
  if (parts.empty()) parts[0];  // it happens all the same, and is confirmed like any
  const std::uint64_t id = ++s.last_commit;
  for (auto& [shard, part] : parts) {
    part.from = s.me;
    part.id = id;
    part.parts = static_cast<std::uint32_t>(parts.size());
    part.token = token;
    flush_shard(shard);
    s.shard(shard).cast(std::move(part));
  }
  if (parts.size() == 1) return;
  auto& commit = s.commits[id];
  commit.token = token;
  for (const auto& [shard, part] : parts) commit.shards.push_back(shard);
  // What is asked from here on must not overtake it: it waits until the shards know the decision.
  s.undecided = id;
  add_pause();
}

void Client::prepared(std::uint64_t id, std::uint32_t shard, const Error* error) {
  State& s = *state_;
  const auto found = s.commits.find(id);
  if (found == s.commits.end()) return;
  State::Commit& commit = found->second;
  ++commit.answered;
  if (error == nullptr) {
    commit.prepared.push_back(shard);
  } else if (!commit.error) {
    commit.error = *error;
  }
  if (commit.answered < commit.shards.size()) return;
  const bool go = !commit.error;
  for (const std::uint32_t each : commit.prepared) s.shard(each).cast(detail::Decide{s.me, id, go});
  s.undecided = 0;
  const std::uint64_t token = commit.token;
  const std::optional<Error> why = std::move(commit.error);
  if (!go) s.commits.erase(found);
  for (auto& work : std::exchange(s.put_off, {})) work();
  remove_pause();
  if (why) s.events->refused(token, *why);
}

void Client::committed(std::uint64_t id) {
  State& s = *state_;
  const auto found = s.commits.find(id);
  if (found == s.commits.end()) return;
  if (++found->second.committed < found->second.shards.size()) return;
  const std::uint64_t token = found->second.token;
  s.commits.erase(found);
  if (token != 0) s.events->confirmed(token);
}

// ---- turns
// ---------------------------------------------------------------------------------------------

void Client::add_pause() {
  if (pauses_++ == 0) state_->events->pause_changed(true);
}

void Client::remove_pause() {
  if (--pauses_ == 0) state_->events->pause_changed(false);
}

void Client::flush_shard(std::uint32_t index) {
  State& s = *state_;
  State::Shard& shard = s.shards[index];
  if (shard.empty()) return;
  const std::uint64_t messages = shard.batch.publishes.size();
  shard.messages_away += messages;
  shard.bytes_away += shard.bytes;
  shard.since_echo.messages += messages;
  shard.since_echo.bytes += shard.bytes;
  ++shard.number;
  // An echo tells what it has done, asked for often enough to know before the window is full.
  if (shard.since_echo.messages >= s.options.window_messages / 8 + 1 ||
      shard.since_echo.bytes >= s.options.window_bytes / 8 + 1) {
    shard.batch.echo = shard.number;
    shard.since_echo.echo = shard.number;
    shard.echoes.push_back(std::exchange(shard.since_echo, {}));
  }
  shard.bytes = 0;
  shard.batch.from = s.me;
  const std::size_t reserve = std::min<std::size_t>(messages, 256);
  s.shard(index).cast(std::exchange(shard.batch, {}));
  shard.batch.publishes.reserve(reserve);
  if (!shard.over && (shard.messages_away > s.options.window_messages ||
                      shard.bytes_away > s.options.window_bytes)) {
    shard.over = true;
    add_pause();
  }
}

void Client::flush() {
  if (!std::exchange(gathered_, false)) return;
  for (std::uint32_t index = 0; index < state_->shards.size(); ++index) flush_shard(index);
}

bool Client::handle(Info& info) {
  auto* from = info.get<detail::FromShard>();
  if (from == nullptr) return false;
  State& s = *state_;
  const auto place = std::ranges::find(s.bus.shards(), from->shard);
  if (place == s.bus.shards().end()) return true;
  const auto index = static_cast<std::uint32_t>(place - s.bus.shards().begin());
  for (const auto& answer : from->answers) {
    if (answer.error == nullptr) {
      s.events->confirmed(answer.token);
    } else {
      s.events->refused(answer.token, *answer.error);
    }
  }
  if (!from->deliveries.empty()) s.events->delivered(from->deliveries);
  for (const auto& notice : from->notices) {
    switch (notice.kind) {
      case detail::Notice::Kind::ended:
        s.subscriptions.erase(notice.number);
        s.events->subscription_ended(notice.number, *notice.error);
        break;
      case detail::Notice::Kind::not_joined:
        s.subscriptions.erase(notice.number);
        break;
      case detail::Notice::Kind::browse_ended:
        s.subscriptions.erase(notice.number);
        s.events->browse_ended(notice.number);
        break;
      case detail::Notice::Kind::hold:
        if (!std::exchange(s.shards[index].held, true)) add_pause();
        break;
      case detail::Notice::Kind::go_on:
        if (std::exchange(s.shards[index].held, false)) remove_pause();
        break;
      case detail::Notice::Kind::prepared:
        prepared(notice.number, index, notice.error.get());
        break;
      case detail::Notice::Kind::committed:
        committed(notice.number);
        break;
    }
  }
  if (from->echo == 0) return true;
  State::Shard& shard = s.shards[index];
  while (!shard.echoes.empty() && shard.echoes.front().echo <= from->echo) {
    shard.messages_away -= shard.echoes.front().messages;
    shard.bytes_away -= shard.echoes.front().bytes;
    shard.echoes.pop_front();
  }
  if (shard.over && shard.messages_away <= s.options.window_messages &&
      shard.bytes_away <= s.options.window_bytes) {
    shard.over = false;
    remove_pause();
  }
  return true;
}

}  // namespace hawser::bus
