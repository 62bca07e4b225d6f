// What the headers of a SEND ask of the broker, and which of them travel on to the consumers, read
// in one pass. Internal to the STOMP layer; pure. Views into the frame.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/stomp/frame.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace hawser::stomp::detail {

struct SendHeaders {
  std::optional<BytesView> destination{};
  std::optional<BytesView> receipt{};
  std::optional<BytesView> transaction{};
  BytesView content_type{};
  BytesView reply_to{};
  BytesView group{};  ///< message-group, JMSXGroupID
  bool persistent = false;
  bool retain = false;                     ///< retain:set (or true)
  bool removes_retained = false;           ///< retain:remove
  std::optional<std::uint8_t> priority{};  ///< 0 … 9; more counts as 9
  /// ttl, expiration: so long from now. Zero is no bound, as in JMS.
  std::optional<Duration> ttl{};
  /// expires: milliseconds of the Unix epoch; 0 is no bound.
  std::optional<std::chrono::milliseconds> expires{};
  std::optional<Duration> delay{};  ///< delay, AMQ_SCHEDULED_DELAY: milliseconds
  /// What goes on to the consumers, in order, the first of repeated ones (P-26), without what is
  /// between client and broker and without content-type.
  std::vector<HeaderView> passed{};

  void clear();
};

/// Fills `out`, whatever was in it. A number that is none is an error which names its header.
Result<void> read_send_headers(const FrameView& frame, SendHeaders& out);

}  // namespace hawser::stomp::detail
