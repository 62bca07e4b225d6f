// ACK and NACK by the letter of each version and mode (stomp.md 2.4, 2.5).
#include <hawser/stomp/session.hpp>

#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace hawser::stomp {

/// The subscription and delivery that an ACK names, in the way of its version; `malformed` when the
/// frame does not name any (the session has ended).
BrokerSession::Subscription* BrokerSession::find_delivery(const FrameView& frame, std::uint64_t& id,
                                                          bool& malformed) {
  malformed = true;
  const bool v1_2 = version_ == Version::v1_2;
  const auto text = frame.first(v1_2 ? "id" : "message-id");
  if (!text) {
    fail_frame(frame,
               fmt::format("{} without {}", frame.command_name(), v1_2 ? "id" : "message-id"),
               v1_2 ? "it is the `ack` header of the MESSAGE" : "it is that of the MESSAGE");
    return nullptr;
  }
  const auto subscription = frame.first("subscription");
  if (version_ == Version::v1_1 && !subscription) {
    fail_frame(frame, fmt::format("{} without subscription", frame.command_name()),
               "STOMP 1.1 names the subscription, too");
    return nullptr;
  }
  malformed = false;
  // "SESSION-NUMBER-ID", as write_message() puts it together.
  BytesView rest = *text;
  if (!rest.starts_with(number_) || rest.size() <= number_.size() || rest[number_.size()] != '-')
    return nullptr;
  rest.remove_prefix(number_.size() + 1);
  const std::size_t dash = rest.find('-');
  if (dash == BytesView::npos) return nullptr;
  const auto number = detail::parse_decimal(rest.substr(0, dash));
  const auto delivery = detail::parse_decimal(rest.substr(dash + 1));
  if (!number || !delivery) return nullptr;
  Subscription* const found = find_subscription(*number);
  if (found == nullptr || found->ack == AckMode::automatic ||
      found->unsettled.state(*delivery) != detail::Unsettled::State::open)
    return nullptr;
  if (version_ == Version::v1_1 && found->name != *subscription) return nullptr;
  id = *delivery;
  return found;
}

void BrokerSession::acknowledge(const FrameView& frame, bool positive) {
  if (!positive && version_ == Version::v1_0 && !options_->lenient.nack_in_1_0) {
    fail_frame(frame, "NACK is not understood", "STOMP 1.0 has none");
    return;
  }
  const auto receipt = receipt_of(frame);
  if (!receipt) return;
  OpenTransaction* transaction = nullptr;
  if (const auto name = frame.first("transaction")) {
    const auto found = required_transaction(frame, *name);
    if (found == transactions_.end()) return;
    transaction = &found->second;
    if (!join(frame, *transaction)) return;
  }
  std::uint64_t id = 0;
  bool malformed = false;
  Subscription* const subscription = find_delivery(frame, id, malformed);
  if (malformed) return;
  if (subscription == nullptr) {
    if (!options_->lenient.unknown_acks) {
      fail_frame(frame, "nothing to acknowledge",
                 fmt::format("no delivery of that {} is unsettled",
                             version_ == Version::v1_2 ? "id" : "message-id"));
      return;
    }
    if (transaction == nullptr) {
      write_receipt(*receipt);
    } else if (!receipt->empty()) {
      transaction->receipts.emplace_back(*receipt);
    }
    return;
  }
  // NACK gives back, to be delivered again; RabbitMQ's `requeue:false` dead-letters.
  const bus::Outcome outcome = positive                            ? bus::Outcome::accepted
                               : frame.first("requeue") == "false" ? bus::Outcome::rejected
                                                                   : bus::Outcome::released;
  using Mark = detail::Unsettled::State;
  const std::uint64_t number = subscription->number;
  // in `client` mode it stands for all before it, of this subscription alone.
  const std::uint64_t first =
      subscription->ack == AckMode::client ? subscription->unsettled.first() : id;
  if (transaction != nullptr) {
    subscription->unsettled.change(first, id, Mark::open, Mark::claimed,
                                   [&](std::uint64_t from, std::uint64_t to) {
                                     transaction->actions.settle({number, from, to, outcome});
                                     transaction->claims.push_back({number, from, to});
                                   });
    if (!receipt->empty()) transaction->receipts.emplace_back(*receipt);
    return;
  }
  // All but the last run without a token: what is confirmed after them is after them.
  std::optional<bus::Settlement> last;
  subscription->unsettled.change(first, id, Mark::open, Mark::settled,
                                 [&](std::uint64_t from, std::uint64_t to) {
                                   if (last) port_->settle(*last, 0);
                                   last = {number, from, to, outcome};
                                 });
  port_->settle(*last, owe(*receipt));
}

}  // namespace hawser::stomp
