// What a STOMP client subscribes to, session after session, and how it settles what is delivered.
#include <hawser/stomp/client_process.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <array>
#include <utility>

namespace hawser::stomp {

using detail::Outcome;

// ---- wanted
// ---------------------------------------------------------------------------------------

Client::Wanted* Client::wanted(SubscriptionId id) noexcept {
  const auto found = wanted_.find(id);
  return found == wanted_.end() ? nullptr : &found->second;
}

Client::Wanted* Client::live(std::uint64_t number, SubscriptionId& id) noexcept {
  const auto found = live_.find(number);
  if (found == live_.end()) return nullptr;
  id = found->second;
  return wanted(id);
}

std::optional<AckMode> Client::ack_mode(SubscriptionId id) const noexcept {
  const auto found = wanted_.find(id);
  if (found == wanted_.end()) return std::nullopt;
  return found->second.what.ack;
}

Result<SubscriptionId> Client::subscribe(Subscription subscription) {
  return want(std::move(subscription), true, {});
}

Result<SubscriptionId> Client::want(Subscription subscription, bool by_handler, Outcome done) {
  if (options_->raw)
    return failure(ErrorKind::unsupported, "SUBSCRIBE", "a raw client writes frames (setting raw)");
  if (closing_) return failure(ErrorKind::closed, "SUBSCRIBE", "the client is ending");
  if (auto good = check_subscription(options_->dialect, subscription); !good)
    return std::unexpected(std::move(good.error()));
  if (wanted_.size() >= options_->session.subscriptions)
    return failure(
        ErrorKind::overloaded, "SUBSCRIBE",
        fmt::format("there are {} subscriptions (setting session.subscriptions)", wanted_.size()));
  const SubscriptionId id{++last_subscription_};
  Wanted& made = wanted_[id];
  made.what = std::move(subscription);
  made.by_handler = by_handler;
  if (done) made.waiting.push_back(std::move(done));
  // Before the login's own have been asked for, its turn is to come.
  if (in_session() && subscribed_) {
    made.put_off = paused_;
    owed_ = owed_ || paused_;
    if (!paused_) make_live(id, made);
  }
  return id;
}

std::vector<Header> Client::headers_of(const Subscription& subscription) const {
  const Dialect& dialect = options_->dialect;
  std::vector<Header> headers = subscription.headers;
  if (subscription.prefetch != 0)
    headers.push_back({dialect.prefetch, std::to_string(subscription.prefetch)});
  if (subscription.prefetch_bytes != 0)
    headers.push_back({dialect.prefetch_bytes, std::to_string(subscription.prefetch_bytes)});
  if (!subscription.selector.empty()) headers.push_back({"selector", subscription.selector});
  if (!subscription.durable.empty()) {
    if (!dialect.durable.empty()) headers.push_back({dialect.durable, subscription.durable});
    headers.insert(headers.end(), dialect.durable_headers.begin(), dialect.durable_headers.end());
  }
  return headers;
}

void Client::make_all_live() {
  owed_ = false;
  if (subscribed_) {
    for (auto& [id, wanted] : wanted_)
      if (wanted.put_off) make_live(id, wanted);
    return;
  }
  if (options_->dialect.receipts)
    for (const auto& [id, wanted] : wanted_) awaited_.insert(id);
  confirm_by_ = scheduler().now() + options_->session.receipt_timeout;
  for (auto& [id, wanted] : wanted_) make_live(id, wanted);
  subscribed_ = true;
  if (awaited_.empty()) become_ready();
}

void Client::make_live(SubscriptionId id, Wanted& wanted) {
  wanted.put_off = false;
  const Subscription& what = wanted.what;
  std::string name = what.id;
  if (name.empty() && !what.durable.empty() && options_->dialect.durable.empty())
    name = what.durable;
  if (name.empty()) name = fmt::format("{}", static_cast<std::uint64_t>(id));
  wanted.unsettled = detail::UnsettledDeliveries(what.ack);
  wanted.shared.clear();
  wanted.confirmed = false;
  const std::uint64_t token =
      ask([this, id](Result<void> outcome) { made_live(id, std::move(outcome)); });
  const AckMode mode = settles_one_by_one(what.ack) ? AckMode::client_individual : what.ack;
  Ask how(token);
  // Theirs is confirm_by_, which counts the time in which something is read.
  if (awaited_.contains(id)) how.timeout = Duration::max();
  const auto number =
      session_->subscribe(what.destination, mode, headers_of(what), how, scheduler().now(), name);
  if (number) {
    wanted.live = *number;
    live_[*number] = id;
    return;
  }
  asked_.erase(token);
  scheduler().log().error(label(), number.error().text());
  made_live(id, std::unexpected(number.error()));
}

void Client::made_live(SubscriptionId id, Result<void> outcome) {
  // After the session's end it is made again in the next one: whoever waits goes on waiting.
  const bool over = !outcome && outcome.error().kind == ErrorKind::closed;
  if (over) return;
  if (Wanted* const made = wanted(id)) {
    made->confirmed = outcome.has_value();
    for (Outcome& done : std::exchange(made->waiting, {})) done(outcome);
  }
  if (awaited_.erase(id) == 0) return;
  if (!outcome && outcome.error().kind == ErrorKind::timeout) {
    disconnect(Reason::timeout("SUBSCRIBE: " + outcome.error().detail));
    return;
  }
  if (subscribed_ && awaited_.empty()) become_ready();
}

Result<void> Client::unsubscribe(SubscriptionId id, bool forget) { return unwant(id, forget, {}); }

Result<void> Client::unwant(SubscriptionId id, bool forget, Outcome done) {
  const auto found = wanted_.find(id);
  if (found == wanted_.end())
    return failure(ErrorKind::not_found, "UNSUBSCRIBE", "there is no such subscription");
  Wanted gone = std::move(found->second);
  wanted_.erase(found);
  for (Outcome& waiting : gone.waiting)
    waiting(failure(ErrorKind::cancelled, "SUBSCRIBE", "unsubscribed before it was live"));
  counters_.unsettled_lost += gone.unsettled.size();
  const bool was_awaited = awaited_.erase(id) != 0;
  const bool durable = forget && !gone.what.durable.empty();
  if (gone.live == 0 || !in_session()) {
    if (durable)
      return failure(ErrorKind::closed, "UNSUBSCRIBE",
                     "no session has it: the durable subscription stays at the broker");
    if (done) done({});
    return {};
  }
  live_.erase(gone.live);
  const Dialect& dialect = options_->dialect;
  std::vector<Header> last;
  if (durable) {
    if (!dialect.durable.empty()) last.push_back({dialect.durable, gone.what.durable});
    last.insert(last.end(), dialect.durable_headers.begin(), dialect.durable_headers.end());
  }
  const Instant now = scheduler().now();
  const bool apart = durable && dialect.durable_ends_apart;
  Result<void> written;
  if (apart) {
    written = session_->unsubscribe(gone.live, {}, 0, now);
    if (written) {
      last.push_back({"id", gone.what.durable});
      written = session_->control(Command::unsubscribe, last, ask(std::move(done)), now);
    }
  } else {
    written = session_->unsubscribe(gone.live, last, ask(std::move(done)), now);
  }
  if (was_awaited && awaited_.empty()) become_ready();
  return written;
}

void Client::handle_call(Subscribe request, From<SubscriptionId> from) {
  auto answered = std::make_shared<From<SubscriptionId>>(std::move(from));
  const SubscriptionId id{last_subscription_ + 1};
  auto made = want(std::move(request.subscription), true, [answered, id](Result<void> outcome) {
    outcome ? answered->reply(id) : answered->fail(std::move(outcome.error()));
  });
  if (!made && *answered) answered->fail(std::move(made.error()));
}

void Client::handle_call(Unsubscribe request, From<bool> from) {
  auto answered = std::make_shared<From<bool>>(std::move(from));
  auto gone = unwant(request.id, request.forget, [answered](Result<void> outcome) {
    outcome ? answered->reply(true) : answered->fail(std::move(outcome.error()));
  });
  if (!gone && *answered) answered->fail(std::move(gone.error()));
}

// ---- delivered
// ------------------------------------------------------------------------------------

DeliveryTicket Client::ticket_for(SubscriptionId id, Wanted* wanted, const FrameView& frame) {
  DeliveryTicket ticket{sessions_, id, 0};
  if (wanted != nullptr)
    ticket.number = wanted->unsettled.add(session_->ack_id(frame).value_or(""));
  return ticket;
}

Result<Settled> Client::settle(DeliveryTicket ticket, bool good, TransactionId transaction) {
  return settle(ticket, good, transaction, {});
}

Result<Settled> Client::settle(DeliveryTicket ticket, bool good, TransactionId transaction,
                               Outcome done) {
  const std::string_view command = good ? "ACK" : "NACK";
  if (auto open = check_transaction(transaction); !open)
    return std::unexpected(std::move(open.error()));
  if (ticket.session != sessions_ || !in_session()) return Settled::session_over;
  if (ticket.subscription == SubscriptionId{}) return Settled::automatic;
  Wanted* const of = wanted(ticket.subscription);
  if (of == nullptr) return Settled::session_over;
  if (of->unsettled.mode() == AckMode::automatic) return Settled::automatic;
  if (ticket.number == 0 || ticket.number > of->unsettled.last())
    return failure(ErrorKind::not_found, command, "there was never such a message");
  if (transaction != TransactionId{} && !options_->dialect.transactional_acks)
    return failure(ErrorKind::unsupported, command,
                   options_->dialect.name + " heeds no transaction of an acknowledgement");
  const std::string* const id = of->unsettled.id_of(ticket.number);
  if (id == nullptr) return Settled::before;
  if (id->empty())
    return failure(ErrorKind::protocol_error, command,
                   "the broker gave the message no name to acknowledge it by");
  if (settles_one_by_one(of->unsettled.mode()) && (good || options_->dialect.cumulative_nack)) {
    for (const std::uint64_t earlier : of->unsettled.before(ticket.number))
      if (auto written = write_settle(*of, earlier, good, transaction, 0); !written)
        return std::unexpected(std::move(written.error()));
  }
  const std::uint64_t token = done ? ask(std::move(done)) : 0;
  if (auto written = write_settle(*of, ticket.number, good, transaction, token); !written) {
    asked_.erase(token);
    return std::unexpected(std::move(written.error()));
  }
  return Settled::sent;
}

bool Client::settles_one_by_one(AckMode mode) const noexcept {
  return mode == AckMode::client && options_->dialect.acks_reach_across &&
         session_->version() != Version::v1_0;
}

Result<void> Client::write_settle(Wanted& of, std::uint64_t number, bool good,
                                  TransactionId transaction, std::uint64_t token) {
  const auto open = transactions_.find(transaction);
  const std::string_view name = open == transactions_.end() ? std::string_view{} : open->second;
  const std::string& id = *of.unsettled.id_of(number);
  const Instant now = scheduler().now();
  auto written = good ? session_->ack(of.live, id, token, now, name)
                      : session_->nack(of.live, id, token, now, name);
  if (!written) return written;
  ++(good ? counters_.acks : counters_.nacks);
  const bool cumulative = !settles_one_by_one(of.unsettled.mode());
  of.unsettled.settle(number, cumulative && (good || options_->dialect.cumulative_nack),
                      transaction);
  return {};
}

void Client::handle_cast(Settle message) {
  if (auto settled = settle(message.ticket, message.good, message.transaction); !settled)
    scheduler().log().warning(label(), settled.error().text());
}

void Client::handle_call(Settle request, From<Settled> from) {
  if (!request.confirmed) {
    from.answer(settle(request.ticket, request.good, request.transaction));
    return;
  }
  auto answered = std::make_shared<From<Settled>>(std::move(from));
  auto settled =
      settle(request.ticket, request.good, request.transaction, [answered](Result<void> outcome) {
        outcome ? answered->reply(Settled::sent) : answered->fail(std::move(outcome.error()));
      });
  if ((!settled || *settled != Settled::sent) && *answered) answered->answer(std::move(settled));
}

void Client::lose_deliveries(Lost& lost) {
  for (auto& [id, wanted] : wanted_) {
    for (const std::uint64_t number : wanted.unsettled.numbers())
      lost.unsettled.push_back({sessions_, id, number});
    wanted.unsettled = detail::UnsettledDeliveries(wanted.what.ack);
    wanted.shared.clear();
    wanted.live = 0;
    wanted.confirmed = false;
  }
  counters_.unsettled_lost += lost.unsettled.size();
  live_.clear();
}

}  // namespace hawser::stomp
