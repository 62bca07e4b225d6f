// What a STOMP client sends: the outbox, receipts, transactions.
#include <hawser/stomp/client_process.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hawser::stomp {

using detail::Outbox;
using detail::Outcome;

namespace {

void answer(Outcome& done, Result<void> outcome) {
  if (done) done(std::move(outcome));
}

}  // namespace

std::uint64_t Client::ask(Outcome done) {
  if (!options_->dialect.receipts) {
    answer(done, {});
    return 0;
  }
  asked_.emplace(++last_token_, std::move(done));
  due(scheduler().now() + options_->session.receipt_timeout);
  return last_token_;
}

// ---- into the outbox
// ------------------------------------------------------------------------------

Result<void> Client::send(Send message) { return accept(std::move(message), {}, false); }

void Client::handle_cast(Send message) {
  if (auto accepted = send(std::move(message)); !accepted) {
    ++counters_.dropped;
    scheduler().log().warning(label(), "a message was not sent: " + accepted.error().text());
  }
}

void Client::handle_call(Send message, From<bool> from) {
  // Shared by the two ways to fail: refused at once, or told later.
  auto answered = std::make_shared<From<bool>>(std::move(from));
  auto accepted = accept(
      std::move(message),
      [answered](Result<void> outcome) {
        outcome ? answered->reply(true) : answered->fail(std::move(outcome.error()));
      },
      true);
  if (!accepted && *answered) answered->fail(std::move(accepted.error()));
}

Result<void> Client::accept(Send message, Outcome done, bool may_wait) {
  if (closing_) return failure(ErrorKind::closed, "SEND", "the client is ending");
  if (options_->raw)
    return failure(ErrorKind::unsupported, "SEND", "a raw client writes frames (setting raw)");
  if (message.confirm != Confirm::none && !options_->dialect.receipts)
    return failure(ErrorKind::unsupported, "SEND", options_->dialect.name + " gives no receipts");
  if (auto good = check_transaction(message.transaction); !good) return good;
  const Outbox::Limits limits{options_->outbox_messages, options_->outbox_bytes};
  const bool direct = outbox_.empty() && blocked_.empty() && may_send();
  if (!direct && message.body.size() > limits.bytes)
    return failure(ErrorKind::overloaded, "SEND",
                   fmt::format("a body of {} octets is larger than the outbox (setting "
                               "outbox_bytes)",
                               message.body.size()));
  const Instant deadline =
      message.deadline > Duration::zero() ? scheduler().now() + message.deadline : Instant::never();
  if (!direct && (!blocked_.empty() || !outbox_.has_room(message.body.size(), limits))) {
    const auto full = [&] {
      return failure(ErrorKind::overloaded, "SEND",
                     fmt::format("{} messages of {} octets wait already (settings "
                                 "outbox_messages, outbox_bytes)",
                                 outbox_.waiting(), outbox_.waiting_bytes()));
    };
    switch (options_->outbox_overflow) {
      case OutboxOverflow::reject:
        return full();
      case OutboxOverflow::wait:
        if (!may_wait || blocked_.size() >= options_->waiting_senders) return full();
        blocked_.push_back({std::move(message), std::move(done), deadline});
        due(deadline);
        return {};
      case OutboxOverflow::drop_oldest:
        while (!outbox_.has_room(message.body.size(), limits)) {
          auto oldest = outbox_.drop_oldest();
          if (!oldest) return full();
          ++counters_.dropped;
          answer(oldest->done, failure(ErrorKind::overloaded, "SEND",
                                       "dropped from the outbox for a newer message"));
        }
    }
  }
  return enqueue(std::move(message), std::move(done), deadline);
}

Result<void> Client::enqueue(Send message, Outcome done, Instant deadline) {
  Outbox::Entry entry;
  entry.deadline = deadline;
  if (message.confirm == Confirm::at_least_once && !options_->dialect.deduplication.empty()) {
    // The same however often it is sent, and no other message's, whichever client sends it.
    if (key_prefix_.empty()) {
      Random& random = scheduler().engine().random();
      key_prefix_ = fmt::format("{:016x}{:016x}-", random.next(), random.next());
    }
    const auto& name = options_->dialect.deduplication;
    if (std::ranges::find(message.headers, name, &Header::name) == message.headers.end())
      message.headers.push_back({name, key_prefix_ + std::to_string(outbox_.next_number())});
  }
  entry.message = std::move(message);
  entry.done = std::move(done);
  const bool direct = outbox_.empty() && may_send();
  const bool told = static_cast<bool>(entry.done);
  outbox_.add(std::move(entry));
  if (direct) {
    Outbox::Entry first = outbox_.take();
    if (told) {
      static_cast<void>(write_entry(std::move(first)));
      return {};
    }
    return write_entry(std::move(first));
  }
  tick();
  return {};
}

// ---- out of it
// ------------------------------------------------------------------------------------

bool Client::may_send() {
  return serves() && attached() && outbox_.in_flight() < options_->confirm_window &&
         unsent() < options_->connection.high_water;
}

void Client::flush_outbox() {
  if (std::exchange(flushing_, true)) return;
  for (;;) {
    while (!outbox_.empty() && may_send() && outbox_.front_may_go()) {
      auto written = write_entry(outbox_.take());
      if (!written)
        scheduler().log().warning(label(), "a message was not sent: " + written.error().text());
    }
    const std::size_t before = blocked_.size();
    unblock();
    if (blocked_.size() == before) break;
  }
  flushing_ = false;
}

void Client::unblock() {
  const Outbox::Limits limits{options_->outbox_messages, options_->outbox_bytes};
  while (!blocked_.empty() && outbox_.has_room(blocked_.front().message.body.size(), limits)) {
    Blocked next = std::move(blocked_.front());
    blocked_.pop_front();
    if (auto good = check_transaction(next.message.transaction); !good) {
      answer(next.done, std::move(good));
      continue;
    }
    static_cast<void>(enqueue(std::move(next.message), std::move(next.done), next.deadline));
  }
}

/// Writes it; what cannot be written tells its sender, and the answer says the same.
Result<void> Client::write_entry(Outbox::Entry entry) {
  if (entry.kind == Outbox::Kind::message) return write_send(std::move(entry));
  const TransactionId id = entry.message.transaction;
  const auto found = transactions_.find(id);
  if (found == transactions_.end()) {
    auto gone = check_transaction(id);
    answer(entry.done, gone);
    return gone;
  }
  const bool commits = entry.kind == Outbox::Kind::commit;
  const std::array<Header, 1> headers{{{"transaction", found->second}}};
  // What the acknowledgements in it come to is known with the frame: the session goes down with an
  // ERROR, or the broker does as it is told.
  transaction_over(id, commits);
  const std::uint64_t token = ask(std::move(entry.done));
  auto written = session_->control(commits ? Command::commit : Command::abort, headers, token,
                                   scheduler().now());
  if (!written) {
    auto asked = asked_.extract(token);
    if (!asked.empty()) answer(asked.mapped(), written);
  }
  return written;
}

Result<void> Client::write_send(Outbox::Entry entry) {
  const Instant now = scheduler().now();
  Ask how;
  if (entry.message.confirm != Confirm::none) {
    how.token = entry.number | send_token;
    if (entry.deadline != Instant::never()) how.timeout = entry.deadline - now;
  }
  Result<void> written;
  if (entry.message.transaction != TransactionId{}) {
    const auto open = transactions_.find(entry.message.transaction);
    if (open == transactions_.end()) {
      auto gone = check_transaction(entry.message.transaction);
      answer(entry.done, gone);
      return gone;
    }
    std::vector<Header> headers = entry.message.headers;
    headers.push_back({"transaction", open->second});
    written = session_->send(entry.message.destination, entry.message.body, headers, how, now);
  } else {
    written = session_->send(entry.message.destination, entry.message.body, entry.message.headers,
                             how, now);
  }
  if (!written) {
    answer(entry.done, written);
    return written;
  }
  ++counters_.sends;
  counters_.sent_bytes += entry.message.body.size();
  if (entry.sendings != 0) ++counters_.sent_again;
  ++entry.sendings;
  if (how.token != 0) {
    due(now + (how.timeout > Duration::zero() ? how.timeout : options_->session.receipt_timeout));
    outbox_.keep_in_flight(std::move(entry));
  } else {
    answer(entry.done, {});
  }
  return written;
}

void Client::drop_overdue() {
  const Instant now = scheduler().now();
  std::erase_if(blocked_, [&](Blocked& each) {
    if (now < each.deadline) return false;
    ++counters_.dropped;
    answer(each.done, failure(ErrorKind::timeout, "SEND",
                              "the deadline passed before there was room in the outbox"));
    return true;
  });
  while (auto entry = outbox_.take_overdue(scheduler().now())) {
    ++counters_.dropped;
    answer(entry->done,
           failure(ErrorKind::timeout, "SEND",
                   entry->sendings == 0 ? "the deadline passed before it could be sent"
                                        : "the deadline passed before it could be sent again; "
                                          "nobody knows what became of it"));
  }
}

void Client::tear_outbox(Lost& lost) {
  Outbox::Torn torn = outbox_.tear(options_->send_attempts);
  lost.sent_again = torn.again;
  lost.unknown = torn.lost.size() + torn.given_up.size();
  for (Outbox::Entry& entry : torn.lost) {
    ++counters_.failures;
    answer(entry.done,
           failure(ErrorKind::closed, "SEND",
                   "the connection was lost before the receipt; nobody knows what became "
                   "of it: " +
                       lost.reason.text()));
  }
  for (Outbox::Entry& entry : torn.given_up) {
    ++counters_.failures;
    answer(entry.done,
           failure(ErrorKind::closed, "SEND",
                   fmt::format("the connection broke {} times when it had been sent (setting "
                               "send_attempts)",
                               entry.suspicions)));
  }
  lost.transactions = transactions_.size();
  counters_.transactions_lost += transactions_.size();
  transactions_.clear();
  for (Outbox::Entry& entry : outbox_.remove_transactions())
    answer(entry.done, check_transaction(entry.message.transaction));
  unblock();
}

// ---- transactions
// ---------------------------------------------------------------------------------

Result<void> Client::check_transaction(TransactionId id) const {
  if (id == TransactionId{} || transactions_.contains(id)) return {};
  if (static_cast<std::uint64_t>(id) > last_transaction_)
    return failure(ErrorKind::not_found, "transaction", "there was never such a transaction");
  return failure(ErrorKind::cancelled, "transaction",
                 "it is over: committed, aborted, or its session was lost and nothing of it "
                 "happened");
}

Result<TransactionId> Client::begin() { return begin(Outcome{}); }

Result<TransactionId> Client::begin(Outcome done) {
  if (!options_->dialect.transactions)
    return failure(ErrorKind::unsupported, "BEGIN",
                   options_->dialect.name + " has no transactions");
  if (!serves() || closing_) return failure(ErrorKind::closed, "BEGIN", "there is no session");
  if (transactions_.size() >= options_->transactions)
    return failure(
        ErrorKind::overloaded, "BEGIN",
        fmt::format("{} transactions are open (setting transactions)", transactions_.size()));
  const TransactionId id{++last_transaction_};
  const std::string name = fmt::format("tx-{}", last_transaction_);
  const std::array<Header, 1> headers{{{"transaction", name}}};
  const bool told = static_cast<bool>(done);
  const std::uint64_t token = told ? ask(std::move(done)) : 0;
  if (auto written = session_->control(Command::begin, headers, token, scheduler().now());
      !written) {
    asked_.erase(token);
    return std::unexpected(std::move(written.error()));
  }
  transactions_.emplace(id, name);
  return id;
}

Result<void> Client::end_transaction(TransactionId id, bool commits, Outcome done) {
  if (id == TransactionId{})
    return failure(ErrorKind::not_found, "transaction", "there was never such a transaction");
  if (auto open = check_transaction(id); !open) return open;
  if (closing_) return failure(ErrorKind::closed, "transaction", "the client is ending");
  Outbox::Entry entry;
  entry.kind = commits ? Outbox::Kind::commit : Outbox::Kind::abort;
  entry.message.transaction = id;
  entry.done = std::move(done);
  // Behind the messages that belong to it.
  outbox_.add(std::move(entry));
  flush_outbox();
  tick();
  return {};
}

void Client::transaction_over(TransactionId id, bool committed) {
  transactions_.erase(id);
  for (auto& [subscription, wanted] : wanted_)
    committed ? wanted.unsettled.commit(id) : wanted.unsettled.abort(id);
}

Result<void> Client::commit(TransactionId id) { return end_transaction(id, true, {}); }
Result<void> Client::abort(TransactionId id) { return end_transaction(id, false, {}); }

void Client::handle_call(Begin, From<TransactionId> from) {
  auto answered = std::make_shared<From<TransactionId>>(std::move(from));  // as in Send
  auto begun = begin([answered, id = TransactionId{last_transaction_ + 1}](Result<void> outcome) {
    outcome ? answered->reply(id) : answered->fail(std::move(outcome.error()));
  });
  if (!begun) answered->fail(std::move(begun.error()));
}

void Client::handle_call(Commit request, From<bool> from) {
  auto answered = std::make_shared<From<bool>>(std::move(from));
  auto ending = end_transaction(request.id, true, [answered](Result<void> outcome) {
    outcome ? answered->reply(true) : answered->fail(std::move(outcome.error()));
  });
  if (!ending && *answered) answered->fail(std::move(ending.error()));
}

void Client::handle_call(Abort request, From<bool> from) {
  auto answered = std::make_shared<From<bool>>(std::move(from));
  auto ending = end_transaction(request.id, false, [answered](Result<void> outcome) {
    outcome ? answered->reply(true) : answered->fail(std::move(outcome.error()));
  });
  if (!ending && *answered) answered->fail(std::move(ending.error()));
}

}  // namespace hawser::stomp
