// Three dialects to one set of wishes.
#include <hawser/stomp/detail/subscribe_headers.hpp>

#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/detail/wrong_header.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

namespace hawser::stomp::detail {
namespace {

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
  out.durable_by_id =
      !out.durable_name && (is_true(frame, "durable") || is_true(frame, "persistent"));
  out.selector = frame.first("selector").value_or(BytesView{});
  out.browser = is_true(frame, "browser");
  out.exclusive = is_true(frame, "exclusive") || is_true(frame, "activemq.exclusive");
  out.no_local = is_true(frame, "no-local") || is_true(frame, "activemq.noLocal");
  return out;
}

}  // namespace hawser::stomp::detail
