// Reading, writing and agreeing on heart-beat intervals.
#include <hawser/stomp/heartbeat.hpp>

#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace hawser::stomp {

namespace {
using std::chrono::milliseconds;

milliseconds one_way(milliseconds sender, milliseconds receiver) noexcept {
  if (sender.count() == 0 || receiver.count() == 0) return milliseconds{0};
  return std::max(sender, receiver);
}
}  // namespace

Bytes Heartbeat::to_header() const {
  return fmt::format("{},{}", can_send.count(), wants_receive.count());
}

Result<Heartbeat> parse_heartbeat(std::optional<BytesView> header) {
  if (!header) return Heartbeat{};
  const std::size_t comma = header->find(',');
  if (comma != BytesView::npos) {
    const auto sends = detail::parse_decimal(header->substr(0, comma));
    const auto wants = detail::parse_decimal(header->substr(comma + 1));
    if (sends && wants && *sends <= UINT32_MAX && *wants <= UINT32_MAX) {
      return Heartbeat{milliseconds{*sends}, milliseconds{*wants}};
    }
  }
  return std::unexpected(
      Error{ErrorKind::protocol_error, 0, "heart-beat",
            fmt::format("{} is not two numbers of milliseconds such as \"10000,10000\"",
                        quoted(*header))});
}

HeartbeatPlan agree(const Heartbeat& ours, const Heartbeat& theirs) noexcept {
  return {one_way(ours.can_send, theirs.wants_receive),
          one_way(theirs.can_send, ours.wants_receive)};
}

Duration beat_after(std::chrono::milliseconds every, double factor, Duration margin) noexcept {
  return std::max(scaled(every, factor), every - margin);
}

}  // namespace hawser::stomp
