// BEGIN, COMMIT and ABORT: what is gathered here the bus does all at once, or not at all (T-01 to
// T-08).
#include <hawser/stomp/session.hpp>

#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::stomp {

void BrokerSession::begin(const FrameView& frame) {
  const auto name = frame.first("transaction");
  if (!name || name->empty()) {
    fail_frame(frame, "BEGIN without transaction", "a transaction needs a name");
    return;
  }
  if (!within(frame, *name, options_->transaction_id, "transaction name")) return;
  if (transactions_.contains(*name)) {
    fail_frame(frame, "transaction exists", fmt::format("{} has begun already", quoted(*name)));
    return;
  }
  if (transactions_.size() >= options_->transactions) {
    fail_frame(frame, "too many transactions",
               fmt::format("the limit is {} at a time on a connection", options_->transactions));
    return;
  }
  const auto receipt = receipt_of(frame);
  if (!receipt) return;
  transactions_.emplace(std::string(*name), OpenTransaction{});
  write_receipt(*receipt);
}

BrokerSession::Transactions::iterator BrokerSession::required_transaction(const FrameView& frame,
                                                                          BytesView name) {
  const auto found = transactions_.find(name);
  if (found == transactions_.end())
    fail_frame(frame, "no such transaction", fmt::format("{} has not begun", quoted(name)));
  return found;
}

bool BrokerSession::join(const FrameView& frame, OpenTransaction& transaction) {
  if (transaction.frames >= options_->transaction_actions) {
    fail_frame(frame, "transaction too long",
               fmt::format("the limit is {} frames in one", options_->transaction_actions));
    return false;
  }
  ++transaction.frames;
  return true;
}

bool BrokerSession::charge(const FrameView& frame, OpenTransaction& transaction,
                           std::size_t bytes) {
  if (bytes > options_->transaction_bytes - transaction_bytes_) {
    fail_frame(frame, "transactions too large",
               fmt::format("the limit is {} octets in all open ones of a connection",
                           options_->transaction_bytes));
    return false;
  }
  transaction_bytes_ += bytes;
  transaction.bytes += bytes;
  return true;
}

void BrokerSession::commit(const FrameView& frame) {
  const auto name = frame.first("transaction");
  const auto found = required_transaction(frame, name.value_or(BytesView{}));
  if (found == transactions_.end()) return;
  const auto receipt = receipt_of(frame);
  if (!receipt) return;
  OpenTransaction transaction = std::move(found->second);
  transactions_.erase(found);
  transaction_bytes_ -= transaction.bytes;
  using Mark = detail::Unsettled::State;
  for (const auto& [number, first, last] : transaction.claims)
    if (Subscription* subscription = find_subscription(number))
      subscription->unsettled.change(first, last, Mark::claimed, Mark::settled,
                                     [](std::uint64_t, std::uint64_t) {});
  if (!receipt->empty()) transaction.receipts.emplace_back(*receipt);
  if (transaction.actions.size() == 0) {
    for (const Bytes& each : transaction.receipts) write_receipt(each);
    return;
  }
  port_->commit(std::move(transaction.actions), owe(std::move(transaction.receipts)));
}

void BrokerSession::abort(const FrameView& frame) {
  const auto name = frame.first("transaction");
  const auto found = required_transaction(frame, name.value_or(BytesView{}));
  if (found == transactions_.end()) return;
  const auto receipt = receipt_of(frame);
  if (!receipt) return;
  drop(found->second);
  transactions_.erase(found);
  write_receipt(*receipt);
}

/// What it would have settled is unsettled again, and can be settled anew (T-04).
void BrokerSession::drop(OpenTransaction& transaction) {
  transaction_bytes_ -= transaction.bytes;
  using Mark = detail::Unsettled::State;
  for (const auto& [number, first, last] : transaction.claims)
    if (Subscription* subscription = find_subscription(number))
      subscription->unsettled.change(first, last, Mark::claimed, Mark::open,
                                     [](std::uint64_t, std::uint64_t) {});
}

}  // namespace hawser::stomp
