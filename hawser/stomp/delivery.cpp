// Deliveries as values, and settled.
#include <hawser/stomp/delivery.hpp>

#include <hawser/base/utf8.hpp>
#include <hawser/stomp/client_process.hpp>
#include <hawser/stomp/content_type.hpp>

#include <map>
#include <utility>

namespace hawser::stomp {
namespace {

bool is_json_type(BytesView type) {
  const BytesView name = type.substr(0, type.find_first_of("; "));
  return name == "application/json" || name.ends_with("+json") || name == "text/json";
}

}  // namespace

Result<BytesView> Delivery::text() const {
  const BytesView type = content_type();
  if (!is_utf8_text(type) && !is_json_type(type))
    return std::unexpected(
        Error{ErrorKind::unsupported, 0, "text", "content-type does not say UTF-8 text"});
  if (!is_utf8(body()))
    return std::unexpected(Error{ErrorKind::protocol_error, 0, "text", "the body is not UTF-8"});
  return body();
}

Result<Json> Delivery::json() const {
  if (!is_json_type(content_type()))
    return std::unexpected(
        Error{ErrorKind::unsupported, 0, "JSON", "content-type does not say JSON"});
  return parse_json(body());
}

Result<Settled> Delivery::ack(TransactionId transaction) const {
  return client_->settle(ticket_, true, transaction);
}

Result<Settled> Delivery::nack(TransactionId transaction) const {
  return client_->settle(ticket_, false, transaction);
}

Result<std::size_t> ack_batch(std::span<const Delivery> batch, TransactionId transaction) {
  std::map<SubscriptionId, const Delivery*> last;
  std::size_t written = 0;
  const auto settle = [&](const Delivery& delivery) -> Result<void> {
    auto settled = delivery.ack(transaction);
    if (!settled) return std::unexpected(std::move(settled.error()));
    written += *settled == Settled::sent ? 1 : 0;
    return {};
  };
  for (const Delivery& delivery : batch) {
    if (client().ack_mode(delivery.subscription()) == AckMode::client) {
      last[delivery.subscription()] = &delivery;
    } else if (auto settled = settle(delivery); !settled) {
      return std::unexpected(std::move(settled.error()));
    }
  }
  for (const auto& [subscription, delivery] : last)
    if (auto settled = settle(*delivery); !settled)
      return std::unexpected(std::move(settled.error()));
  return written;
}

}  // namespace hawser::stomp
