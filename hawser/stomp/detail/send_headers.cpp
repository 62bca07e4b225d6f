// One look at each header: by length and name, most are the user's own and pass.
#include <hawser/stomp/detail/send_headers.hpp>

#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/detail/wrong_header.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

namespace hawser::stomp::detail {
namespace {

/// Milliseconds that also fit as nanoseconds.
Result<std::chrono::milliseconds> milliseconds(BytesView name, BytesView value) {
  constexpr auto most =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 1'000'000;
  const auto number = parse_decimal(value);
  if (!number || *number > most) return wrong_header(name, value, "a number of milliseconds");
  return std::chrono::milliseconds(*number);
}

enum class Fate : std::uint8_t { pass, keep_back };

/// What one header means. Only called for the first of its name.
/// After an error, `fault` has it.
Fate take(BytesView name, BytesView value, SendHeaders& out, std::optional<Error>& fault) {
  using enum Fate;
  const auto wrong = [&fault](Error error) {
    fault = std::move(error);
    return keep_back;
  };
  switch (name.size()) {
    case 3:
      if (name == "ttl") {
        const auto time = milliseconds(name, value);
        if (!time) return wrong(time.error());
        if (time->count() != 0) out.ttl = *time;
      } else if (name == "ack") {
        return keep_back;
      }
      break;
    case 5:
      if (name == "delay") {
        const auto time = milliseconds(name, value);
        if (!time) return wrong(time.error());
        out.delay = *time;
      }
      break;
    case 6:
      if (name == "retain") {
        out.retain = value == "set" || value == "true";
        out.removes_retained = value == "remove";
      }
      break;
    case 7:
      if (name == "receipt") {
        out.receipt = value;
        return keep_back;
      }
      if (name == "expires") {
        const auto time = milliseconds(name, value);
        if (!time) return wrong(time.error());
        if (time->count() != 0) out.expires = *time;
      }
      break;
    case 8:
      if (name == "priority") {
        const auto number = parse_decimal(value);
        if (!number) return wrong(wrong_header(name, value, "a number from 0 to 9").error());
        out.priority = static_cast<std::uint8_t>(std::min<std::uint64_t>(*number, 9));
      } else if (name == "reply-to") {
        out.reply_to = value;
      }
      break;
    case 10:
      if (name == "persistent") {
        out.persistent = value == "true";
      } else if (name == "message-id") {
        return keep_back;
      } else if (name == "expiration") {
        const auto time = milliseconds(name, value);
        if (!time) return wrong(time.error());
        if (time->count() != 0) out.ttl = *time;
      }
      break;
    case 11:
      if (name == "destination") {
        out.destination = value;
        return keep_back;
      }
      if (name == "transaction") {
        out.transaction = value;
        return keep_back;
      }
      if (name == "redelivered") return keep_back;
      if (name == "JMSXGroupID") out.group = value;
      break;
    case 12:
      if (name == "content-type") {
        out.content_type = value;
        return keep_back;
      }
      if (name == "subscription") return keep_back;
      break;
    case 13:
      if (name == "message-group") out.group = value;
      break;
    case 14:
      if (name == "content-length" || name == "delivery-count") return keep_back;
      break;
    case 19:
      if (name == "AMQ_SCHEDULED_DELAY") {
        const auto time = milliseconds(name, value);
        if (!time) return wrong(time.error());
        out.delay = *time;
      }
      break;
    default:
      break;
  }
  return pass;
}

}  // namespace

void SendHeaders::clear() {
  std::vector<HeaderView> kept = std::move(passed);
  kept.clear();
  *this = {};
  passed = std::move(kept);
}

Result<void> read_send_headers(const FrameView& frame, SendHeaders& out) {
  out.clear();
  const auto headers = frame.headers();
  // Among few, looking through those before is the cheapest; among many it would be their square.
  constexpr std::size_t few = 24;
  std::optional<std::unordered_set<BytesView>> seen;
  if (headers.size() > few) seen.emplace();
  std::optional<Error> fault;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto& [name, value] = headers[i];
    if (seen) {
      if (!seen->insert(name).second) continue;
    } else if (std::ranges::find(headers.first(i), name, &HeaderView::name) !=
               headers.first(i).end()) {
      continue;
    }
    if (take(name, value, out, fault) == Fate::pass) out.passed.push_back(headers[i]);
    if (fault) [[unlikely]]
      return std::unexpected(*std::move(fault));
  }
  return {};
}

}  // namespace hawser::stomp::detail
