// One STOMP subscription shared by several processes (S-35): who gets what, when reading stops for
// those that are slow, and when a message that all have settled is settled at the broker.
#include <hawser/stomp/client_process.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/send.hpp>

#include <algorithm>
#include <utility>

namespace hawser::stomp {

void Client::handle_call(Consume request, From<ConsumerId> from) {
  if (request.window == 0) {
    from.fail({ErrorKind::invalid_argument, 0, "consume", "window: must be at least 1"});
    return;
  }
  const auto same = std::ranges::find_if(wanted_, [&](const auto& each) {
    return !each.second.by_handler && each.second.what == request.subscription;
  });
  SubscriptionId subscription{};
  if (same != wanted_.end()) {
    subscription = same->first;
  } else {
    auto made = want(std::move(request.subscription), false, {});
    if (!made) {
      from.fail(std::move(made.error()));
      return;
    }
    subscription = *made;
  }
  const ConsumerId id{++last_consumer_};
  Wanted& of = wanted_.at(subscription);
  of.consumers.push_back(id);
  consumers_[id] = {.pid = request.consumer,
                    .subscription = subscription,
                    .window = request.window,
                    .monitor = monitor(request.consumer)};
  if (of.confirmed) {
    from.reply(id);
    return;
  }
  auto answered = std::make_shared<From<ConsumerId>>(std::move(from));
  of.waiting.emplace_back([answered, id](Result<void> outcome) {
    outcome ? answered->reply(id) : answered->fail(std::move(outcome.error()));
  });
}

void Client::hand_out(SubscriptionId id, Wanted& wanted, const DeliveryTicket& ticket,
                      const FrameView& frame) {
  static_cast<void>(id);
  const auto message = std::make_shared<const Frame>(frame.to_frame());  // shared by the consumers
  if (wanted.what.ack != AckMode::automatic) {
    Shared& shared = wanted.shared[ticket.number];
    shared.left.insert(wanted.consumers.begin(), wanted.consumers.end());
  }
  for (const ConsumerId each : wanted.consumers) {
    Consumer& consumer = consumers_.at(each);
    if (++consumer.unprocessed >= consumer.window && !std::exchange(consumer.slow, true))
      ++slow_consumers_;
    send_info(consumer.pid, Arrival{pid(), each, ticket, message});
  }
  update_hold();
}

void Client::processed(ConsumerId id, std::uint32_t count) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return;
  Consumer& consumer = found->second;
  consumer.unprocessed -= std::min(count, consumer.unprocessed);
  if (!consumer.slow || consumer.unprocessed > consumer.window / 2) return;
  consumer.slow = false;
  --slow_consumers_;
  update_hold();
}

void Client::handle_cast(Processed message) { processed(message.consumer, message.count); }

void Client::handle_cast(Finish message) {
  processed(message.consumer, 1);
  finished(message.consumer, message.ticket, message.good);
}

void Client::finished(ConsumerId consumer, const DeliveryTicket& ticket, bool good) {
  if (ticket.session != sessions_) return;
  Wanted* const of = wanted(ticket.subscription);
  if (of == nullptr) return;
  const auto shared = of->shared.find(ticket.number);
  if (shared == of->shared.end() || shared->second.left.erase(consumer) == 0) return;
  shared->second.good = shared->second.good && good;
  settle_shared(ticket.subscription, *of);
}

/// Settles what all have finished: each by itself, in `client` mode those before which none is
/// unfinished, with one ACK.
void Client::settle_shared(SubscriptionId id, Wanted& wanted) {
  const bool cumulative = wanted.what.ack == AckMode::client;
  std::optional<std::uint64_t> good;
  const auto settle_one = [&](std::uint64_t number, bool is_good) {
    if (auto settled = settle({sessions_, id, number}, is_good); !settled)
      scheduler().log().warning(label(), settled.error().text());
  };
  for (auto at = wanted.shared.begin(); at != wanted.shared.end();) {
    if (!at->second.left.empty()) {
      if (cumulative) break;
      ++at;
      continue;
    }
    const std::uint64_t number = at->first;
    const bool is_good = at->second.good;
    at = wanted.shared.erase(at);
    if (cumulative && is_good) {
      good = number;
      continue;
    }
    // A NACK takes those before it along: they are acknowledged first.
    if (good) settle_one(*std::exchange(good, std::nullopt), true);
    settle_one(number, is_good);
  }
  if (good) settle_one(*good, true);
}

void Client::handle_cast(EndConsume message) { end_consumer(message.consumer); }

void Client::end_consumer(ConsumerId id) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return;
  const Consumer consumer = found->second;
  consumers_.erase(found);
  demonitor(consumer.monitor);
  if (consumer.slow) --slow_consumers_;
  if (Wanted* const of = wanted(consumer.subscription)) {
    std::erase(of->consumers, id);
    if (of->consumers.empty()) {
      // What nobody has settled, the broker gives to others.
      static_cast<void>(unwant(consumer.subscription, false, {}));
    } else {
      for (auto& [number, shared] : of->shared) shared.left.erase(id);
      settle_shared(consumer.subscription, *of);
    }
  }
  update_hold();
}

}  // namespace hawser::stomp
