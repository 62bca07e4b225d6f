// A shard's turns: requests in, and at the end of a turn one message to each client.
#include <hawser/bus/detail/shard.hpp>

#include <hawser/engine/engine.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace hawser::bus::detail {
namespace {
// So many deliveries are not kept back for a fuller message.
constexpr std::size_t enough = 2'048;
// A timer may come this much late; what falls due closer together is done together.
constexpr std::int64_t timer_step = 1;
constexpr auto later_due = [](const auto& left, const auto& right) { return left.at > right.at; };
}  // namespace

// ---- turns
// --------------------------------------------------------------------------------------------

template <class Request>
bool Shard::later(Request& request) {
  if (ready_) [[likely]]
    return false;
  // Bounded by what each client may have on its way, since none is told anything.
  put_aside_.push_back([this, kept = std::make_shared<Request>(std::move(request))] {
    handle_cast(std::move(*kept));
  });
  return true;
}

void Shard::begin_turn() {
  now_ = std::chrono::duration_cast<std::chrono::milliseconds>(
             self().process().scheduler().engine().wall_clock().time_since_epoch())
             .count();
}

void Shard::end_turn() {
  settle_touched();
  if (!slow_.empty()) end_slow();
  arm_timer();
  if (dirty_.empty() && changes_.changes.empty()) return;
  // Whoever waits in the mailbox may have more for the same clients.
  if (gathered_ >= enough || self().process().statistics().mailbox == 0) {
    flush();
  } else if (!flush_asked_) {
    flush_asked_ = self().ref<Shard>().cast(Flush{});
    if (!flush_asked_) flush();  // its mailbox is full
  }
}

void Shard::handle_cast(Flush) {
  flush_asked_ = false;
  flush();
}

void Shard::flush() {
  flush_store();
  gathered_ = 0;
  for (Peer* each : dirty_) {
    each->dirty = false;
    // Room for as much as this time: a busy client stays so.
    const std::size_t deliveries = each->out.deliveries.size();
    FromShard full = std::exchange(each->out, {});
    each->out.deliveries.reserve(std::min<std::size_t>(deliveries, 256));
    full.shard = self().pid();
    send_info(each->pid, std::move(full));
  }
  dirty_.clear();
}

void Shard::settle_touched() {
  // Dispatching may touch others: dead letters.
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    Place& place = *touched_[i];
    place.touched = false;
    if (place.queue == nullptr) {
      drop_place_if_unused(place);
      continue;
    }
    Queue& queue = *place.queue;
    queue.dispatch(now_);
    if (!place.blocked.empty() && queue.has_room()) unblock(place.blocked);
    if (queue.stored_id != 0 && queue.next_sequence() + sequences_ahead / 2 > queue.stored_next)
        [[unlikely]]
      keep_sequence(place);
    if (queue.idle()) {
      note_idle(place);
    } else {
      queue.idle_noted = false;
    }
  }
  touched_.clear();
}

// ---- clients
// ------------------------------------------------------------------------------------------

Peer* Shard::find_peer(Pid pid) noexcept {
  const auto found = peers_.find(pid);
  return found == peers_.end() ? nullptr : found->second.get();
}

Peer& Shard::peer(Pid pid) {
  auto& known = peers_[pid];
  if (known == nullptr) {
    known = std::make_unique<Peer>();
    known->pid = pid;
    known->monitor = self().monitor(pid);
  }
  return *known;
}

FromShard& Shard::out(Peer& peer) {
  if (!peer.dirty) {
    peer.dirty = true;
    dirty_.push_back(&peer);
  }
  return peer.out;
}

void Shard::answer(Pid whom, std::uint64_t token) {
  if (token == 0) return;
  if (Peer* peer = find_peer(whom)) out(*peer).answers.push_back({token, {}});
}

void Shard::refuse(Pid whom, std::uint64_t token, Error error) {
  ++totals_.refused;
  if (Peer* peer = find_peer(whom))
    out(*peer).answers.push_back({token, std::make_unique<const Error>(std::move(error))});
}

void Shard::notice(Pid whom, Notice::Kind kind, std::uint64_t number,
                   std::unique_ptr<Error> error) {
  if (Peer* peer = find_peer(whom)) out(*peer).notices.push_back({kind, number, std::move(error)});
}

void Shard::handle_info(Info& info) {
  if (const auto* down = info.get<Down>()) {
    if (down->from == writer_) {
      self().stop(Reason::failed("the store's writer ended"));
      return;
    }
    Peer* gone = find_peer(down->from);
    if (gone == nullptr || gone->monitor != down->monitor) return;
    begin_turn();
    peer_gone(*gone);
    end_turn();
  } else if (info.get<Wake>() != nullptr) {
    timer_.reset();
    timer_at_ = 0;
    begin_turn();
    tick();
    end_turn();
  }
}

void Shard::peer_gone(Peer& peer) {
  for (auto& [id, prepared] : std::exchange(peer.transactions, {}))
    abort(peer, std::move(prepared));
  std::vector<std::uint64_t> numbers;
  numbers.reserve(peer.subscriptions.size());
  for (const auto& [number, subscriber] : peer.subscriptions) numbers.push_back(number);
  std::ranges::sort(numbers);
  for (const std::uint64_t number : numbers) {
    // Nobody knows what it has seen: perhaps all.
    leave(*peer.subscriptions.at(number), UINT64_MAX);
    forget(peer, number);
  }
  for (const auto& queue : peer.temporary)
    if (Place* place = find_place(queue); place != nullptr && place->queue != nullptr)
      delete_queue(*place, Error{ErrorKind::not_found, 0, "subscription",
                                 bus::describe(queue) + " went with its owner"});
  for (Place* place : peer.senders)
    if (place != nullptr) release_place(*place);
  std::erase(dirty_, &peer);
  peers_.erase(peer.pid);
}

// ---- requests
// -----------------------------------------------------------------------------------------

void Shard::handle_cast(Batch batch) {
  if (later(batch)) return;
  begin_turn();
  Peer& from = peer(batch.from);
  for (Attach& each : batch.attaches) attach(from, std::move(each));
  for (const SettleOp& each : batch.settlements) settle(from, each);
  for (PublishOp& each : batch.publishes) {
    Place* place = each.slot < from.senders.size() ? from.senders[each.slot] : nullptr;
    if (place == nullptr) {
      refuse(from.pid, each.token, too_many_places());
      continue;
    }
    publish(&from, *place, std::move(each.message), each.token);
  }
  if (batch.echo != 0) out(from).echo = batch.echo;
  end_turn();
}

void Shard::handle_cast(Declare declare) {
  if (later(declare)) return;
  begin_turn();
  const Mark before = mark();
  peer(declare.from);
  const auto fail = [&](ErrorKind kind, std::string why) {
    refuse(declare.from, declare.token, Error{kind, 0, "declare", std::move(why)});
    end_turn();
  };
  if (declare.to.kind != Destination::Kind::queue)
    return fail(ErrorKind::invalid_argument, bus::describe(declare.to) + " is not a queue");
  if (declare.options.messages == 0 || declare.options.deliveries == 0)
    return fail(ErrorKind::invalid_argument,
                "a queue holds at least one message and delivers it at least once");
  Place* place = this->place(declare.to);
  if (place == nullptr) return fail(ErrorKind::overloaded, too_many_places().detail);
  if (declare.temporary && place->queue != nullptr)
    return fail(ErrorKind::already_exists, bus::describe(declare.to) + " exists already");
  if (place->queue != nullptr && place->queue->owner != nullptr &&
      place->queue->owner->pid != declare.from)
    return fail(ErrorKind::refused, bus::describe(declare.to) + " belongs to another");
  if (place->queue == nullptr) {
    make_queue(*place, declare.options);
  } else {
    place->queue->set_options(declare.options);
  }
  Queue& queue = *place->queue;
  queue.declared = true;
  if (declare.temporary) {
    Peer& owner = peer(declare.from);
    queue.owner = &owner;
    owner.temporary.push_back(declare.to);
  } else if (storing() && declare.options.durable) {
    define(*place);
  }
  touch(*place);
  confirm_change(before, declare.from, declare.token);
  end_turn();
}

void Shard::handle_cast(Remove remove) {
  if (later(remove)) return;
  begin_turn();
  const Mark before = mark();
  peer(remove.from);
  Place* place = find_place(remove.to);
  if (place == nullptr || place->queue == nullptr) {
    refuse(remove.from, remove.token,
           Error{ErrorKind::not_found, 0, "remove", "there is no " + bus::describe(remove.to)});
  } else if (!remove.force && place->queue->consumers() > 0) {
    refuse(remove.from, remove.token,
           Error{ErrorKind::refused, 0, "remove",
                 fmt::format("{} is in use by {}", bus::describe(remove.to),
                             place->queue->consumers())});
  } else if (place->queue->owner != nullptr && place->queue->owner->pid != remove.from) {
    refuse(
        remove.from, remove.token,
        Error{ErrorKind::refused, 0, "remove", bus::describe(remove.to) + " belongs to another"});
  } else {
    if (place->queue->owner != nullptr) std::erase(place->queue->owner->temporary, remove.to);
    delete_queue(*place, Error{ErrorKind::not_found, 0, "subscription",
                               bus::describe(remove.to) + " was removed"});
    confirm_change(before, remove.from, remove.token);
  }
  end_turn();
}

void Shard::handle_cast(Relay relay) {
  if (later(relay)) return;
  begin_turn();
  Place* place = this->place(relay.to);
  const bool taken = place != nullptr && put(nullptr, *place, std::move(relay.message), Put::moved);
  // Known to be taken, or safe where that is promised: only then does its origin let go of it.
  confirm_when_stored(
      {relay.from, relay.token | (taken ? 1ULL : 0ULL) << 63, Notice::Kind::prepared, false});
  end_turn();
}

void Shard::handle_cast(Relayed relayed) {
  begin_turn();
  const auto found = under_way_.find(relayed.token);
  if (found != under_way_.end()) {
    const UnderWay what = std::move(found->second);
    under_way_.erase(found);
    if (!relayed.taken) ++totals_.dropped;
    if (what.stored)
      record({.kind = StoreChange::Kind::settle, .queue = what.queue, .sequence = what.sequence});
    for (const auto& each : what.waiting)
      confirm_when_moved(each.confirmation, each.after, relayed.token);
  }
  end_turn();
}

// ---- time
// ---------------------------------------------------------------------------------------------

void Shard::arm_timer() {
  std::int64_t next = 0;
  if (!due_.empty()) next = due_.front().at;
  if (!delayed_.empty() && (next == 0 || delayed_.front().at < next)) next = delayed_.front().at;
  if (next == 0 || (timer_ && timer_at_ <= next)) return;
  if (timer_) self().cancel_timer(*timer_);
  timer_at_ = next;
  const std::int64_t wait = std::clamp<std::int64_t>(next - now_, 0, 86'400'000) + timer_step;
  timer_ = self().send_after(std::chrono::milliseconds(wait), Wake{});
}

void Shard::tick() {
  deliver_delayed();
  while (!due_.empty() && due_.front().at <= now_) {
    std::ranges::pop_heap(due_, later_due);
    const Due due = due_.back();
    due_.pop_back();
    Place* place = by_number(due.queue);
    if (place == nullptr) continue;
    Queue& queue = *place->queue;
    if (queue.tick_at != 0 && queue.tick_at <= now_) {
      queue.tick(now_);
      touch(*place);
    }
    if (!queue.idle_noted || !queue.idle()) continue;
    const Duration patience =
        queue.declared ? queue.options().expires : options_->undeclared_expiry;
    const std::int64_t end =
        queue.idle_since + std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    if (end <= now_) {
      delete_queue(*place, Error{ErrorKind::not_found, 0, "subscription", "idle for too long"});
    } else {
      due_.push_back({end, due.queue});
      std::ranges::push_heap(due_, later_due);
    }
  }
}

void Shard::wants_tick(Queue& queue, std::int64_t wall_ms) {
  due_.push_back({wall_ms, queue.number()});
  std::ranges::push_heap(due_, later_due);
}

void Shard::note_idle(Place& place) {
  Queue& queue = *place.queue;
  if (queue.owner != nullptr) return;
  if (place.to.kind == Destination::Kind::subscription && queue.options().expires == Duration{})
    return;
  const Duration patience = queue.declared ? queue.options().expires : options_->undeclared_expiry;
  if (patience == Duration::zero() && queue.declared) return;
  queue.idle_since = now_;
  // One entry in the heap a queue: it is looked at again when that falls due.
  if (std::exchange(queue.idle_noted, true)) return;
  wants_tick(queue, now_ + std::chrono::ceil<std::chrono::milliseconds>(patience).count());
}

std::string Shard::describe() const {
  return fmt::format("{} topics, {} queues, {} durable subscriptions, {} clients, {} subscriptions",
                     topics_.size(), queues_.size(), durables_.size(), peers_.size(),
                     subscriptions_);
}

void Shard::handle_cast(Subscribe subscribe) {
  if (later(subscribe)) return;
  begin_turn();
  Peer& from = peer(subscribe.from);
  const Mark before = mark();
  auto subscriber = std::make_unique<Subscriber>();
  subscriber->peer = &from;
  subscriber->number = subscribe.number;
  subscriber->wish = std::move(subscribe.what);
  Result<void> joined;
  if (subscribe.duplicate || from.subscriptions.contains(subscribe.number)) {
    joined = std::unexpected(Error{ErrorKind::already_exists, 0, "subscribe",
                                   fmt::format("subscription {} exists", subscribe.number)});
  } else if (from.subscriptions.size() >= options_->subscriptions) {
    joined = std::unexpected(
        Error{ErrorKind::overloaded, 0, "subscribe",
              fmt::format("this process has {} subscriptions, the limit (subscriptions)",
                          from.subscriptions.size())});
  } else {
    joined = join(from, *subscriber);
  }
  if (!joined) {
    refuse(from.pid, subscribe.token, std::move(joined.error()));
    if (!subscribe.duplicate) notice(from.pid, Notice::Kind::not_joined, subscribe.number);
  } else {
    // Before the first delivery: answers come first in each message.
    confirm_change(before, from.pid, subscribe.token);
    Subscriber& added = *subscriber;
    ++subscriptions_;
    from.subscriptions.emplace(subscribe.number, std::move(subscriber));
    if (added.wish.to.kind == Destination::Kind::topic && added.wish.from == 0)
      send_retained(added);
  }
  end_turn();
}

void Shard::handle_cast(Unsubscribe unsubscribe) {
  if (later(unsubscribe)) return;
  begin_turn();
  Peer& from = peer(unsubscribe.from);
  const auto found = from.subscriptions.find(unsubscribe.number);
  // It may have been ended while this was on its way: the wish is fulfilled.
  if (found != from.subscriptions.end()) {
    leave(*found->second, unsubscribe.last_seen);
    forget(from, unsubscribe.number);
  }
  answer(from.pid, unsubscribe.token);
  end_turn();
}

void Shard::handle_cast(Prepare request) {
  if (later(request)) return;
  begin_turn();
  Peer& from = peer(request.from);
  const Mark before = mark();
  const std::uint64_t id = request.id;
  const std::uint64_t token = request.token;
  const bool alone = request.parts == 1;
  auto prepared = prepare(from, request);
  if (!prepared) {
    if (alone) {
      refuse(from.pid, token, std::move(prepared.error()));
    } else {
      notice(from.pid, Notice::Kind::prepared, id,
             std::make_unique<Error>(std::move(prepared.error())));
    }
  } else if (alone) {
    commit(from, std::move(*prepared));
    confirm_change(before, from.pid, token);
  } else {
    from.transactions.emplace(id, std::move(*prepared));
    notice(from.pid, Notice::Kind::prepared, id);
  }
  end_turn();
}

void Shard::handle_cast(Decide decide) {
  begin_turn();
  if (Peer* from = find_peer(decide.from)) {
    const auto found = from->transactions.find(decide.id);
    if (found != from->transactions.end()) {
      Prepared prepared = std::move(found->second);
      from->transactions.erase(found);
      if (decide.commit) {
        const std::uint32_t parts = prepared.parts;
        flush_store();
        const Mark before = mark();
        commit(*from, std::move(prepared));
        settle_touched();
        const Confirmation done{decide.from, decide.id, Notice::Kind::committed, true};
        if (last_stored_relay_ != before.relay) {
          confirm_when_moved(done, before.relay, last_stored_relay_);
        } else {
          confirmations_.push_back(done);
        }
        flush_store({decide.from, decide.id}, parts);
      } else {
        abort(*from, std::move(prepared));
      }
    }
  }
  end_turn();
}

}  // namespace hawser::bus::detail
