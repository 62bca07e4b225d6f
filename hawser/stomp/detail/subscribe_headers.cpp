// Four dialects to one set of wishes.
#include <hawser/stomp/detail/subscribe_headers.hpp>

#include <hawser/bus/subscription.hpp>
#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/detail/wrong_header.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

namespace hawser::stomp::detail {
namespace {

/// What MESSAGE frames have themselves.
bool is_of_message(BytesView name) {
  for (const BytesView each :
       {BytesView("destination"), BytesView("message-id"), BytesView("subscription"),
        BytesView("ack"), BytesView("content-type"), BytesView("content-length"),
        BytesView("redelivered"), BytesView("delivery-count"), BytesView("browser")})
    if (name == each) return true;
  return false;
}

Result<void> read_positions(const FrameView& frame, SubscribeHeaders& out) {
  if (const auto from = frame.first("from-seq")) {
    out.from = *from == "-1" ? bus::Subscription::from_now : parse_decimal(*from);
    if (!out.from) return wrong_header("from-seq", *from, "a position, or -1 for what comes now");
  }
  const auto name = frame.first("include-seq");
  if (!name) return {};
  if (name->empty()) return wrong_header("include-seq", "", "a header's name");
  if (is_of_message(*name))
    return wrong_header("include-seq", *name, "a name that MESSAGE frames leave to you");
  out.position_header = name;
  return {};
}

bool is_true(const FrameView& frame, BytesView name) { return frame.first(name) == "true"; }

}  // namespace

Result<SubscribeHeaders> read_subscribe_headers(const FrameView& frame, bool any_ack) {
  SubscribeHeaders out;
  out.destination = frame.first("destination");
  out.id = frame.first("id");
  out.receipt = frame.first("receipt");
  if (const auto ack = frame.first("ack"); ack && *ack != "auto") {
    if (*ack == "client") {
      out.ack = AckMode::client;
    } else if (*ack == "client-individual") {
      out.ack = AckMode::client_individual;
    } else if (!any_ack) {
      return wrong_header("ack", *ack, "auto, client or client-individual");
    }
  }
  for (const BytesView name : {BytesView("prefetch-count"), BytesView("activemq.prefetchSize")}) {
    const auto value = frame.first(name);
    if (!value || out.prefetch) continue;
    const auto number = parse_decimal(*value);
    if (!number) return wrong_header(name, *value, "a number of messages");
    out.prefetch = *number;
  }
  for (const BytesView name :
       {BytesView("durable-subscription-name"), BytesView("durable-subscriber-name"),
        BytesView("activemq.subscriptionName")}) {
    if (out.durable_name) break;
    out.durable_name = frame.first(name);
    if (out.durable_name && out.durable_name->empty()) return wrong_header(name, "", "a name");
  }
  if (auto good = read_positions(frame, out); !good) return std::unexpected(good.error());
  out.durable_by_id =
      !out.durable_name && (is_true(frame, "durable") || is_true(frame, "persistent"));
  out.selector = frame.first("selector").value_or(BytesView{});
  out.browser = is_true(frame, "browser");
  out.exclusive = is_true(frame, "exclusive") || is_true(frame, "activemq.exclusive");
  out.no_local = is_true(frame, "no-local") || is_true(frame, "activemq.noLocal");
  return out;
}

}  // namespace hawser::stomp::detail
