// A message that a STOMP client's handler is told, and the way to settle it. Public; borrowed for
// the callback. What is to outlive it: ticket() settles later, to_frame() copies.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/stomp/client_messages.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/json.hpp>

#include <optional>
#include <span>

namespace hawser::stomp {

class Client;

class Delivery {
 public:
  Delivery(Client& client, DeliveryTicket ticket, const FrameView& frame) noexcept
      : client_(&client), ticket_(ticket), view_(&frame) {}
  /// The message is kept elsewhere: while its body comes in pieces.
  Delivery(Client& client, DeliveryTicket ticket, const Frame& frame) noexcept
      : client_(&client), ticket_(ticket), frame_(&frame) {}

  const DeliveryTicket& ticket() const noexcept { return ticket_; }
  /// 0 for an answer to a temporary reply queue (D-06).
  SubscriptionId subscription() const noexcept { return ticket_.subscription; }

  /// The first of that name counts (P-26).
  std::optional<BytesView> header(BytesView name) const noexcept {
    return view_ != nullptr ? view_->first(name) : frame_->first(name);
  }
  BytesView destination() const noexcept { return header("destination").value_or(""); }
  BytesView message_id() const noexcept { return header("message-id").value_or(""); }
  BytesView content_type() const noexcept { return header("content-type").value_or(""); }
  bool redelivered() const noexcept { return header("redelivered") == "true"; }
  /// Octets, whatever they are (P-25). Empty for one that comes in pieces.
  BytesView body() const noexcept { return view_ != nullptr ? view_->body() : frame_->body.view(); }
  Frame to_frame() const { return view_ != nullptr ? view_->to_frame() : *frame_; }

  /// The body as text: unsupported unless content-type says UTF-8 (or text/*, or JSON),
  /// protocol_error when it is none.
  Result<BytesView> text() const;
  /// The body as a value; errors as text(), and protocol_error for what is no JSON. Only for a
  /// content-type of application/json or …+json.
  Result<Json> json() const;

  /// Settles this message, and in `client` mode all before it of its subscription. Errors:
  /// unsupported (NACK in 1.0, `transaction` where the broker ignores it), cancelled (the
  /// transaction's session is over), not_found.
  Result<Settled> ack(TransactionId transaction = {}) const;
  Result<Settled> nack(TransactionId transaction = {}) const;

 private:
  Client* client_;
  DeliveryTicket ticket_;
  const FrameView* view_ = nullptr;
  const Frame* frame_ = nullptr;
};

/// Settles a batch with as few frames as its modes allow: the last message of each subscription in
/// `client` mode, each in `client-individual` (S-33). The first error ends it. Answers how many
/// frames were written.
Result<std::size_t> ack_batch(std::span<const Delivery> batch, TransactionId transaction = {});

}  // namespace hawser::stomp
