// The destinations of the broker's dialect (stomp.md 3): what stands in a frame, taken apart.
// Public; pure functions.
//
//   /queue/NAME        a queue, made when first used
//   /topic/NAME        a topic; a SUBSCRIBE may have wildcards: * one word, > or # the rest
//   /temp-queue/NAME   this session's own queue, gone with it
//   /reply-queue/NAME  such a queue as others see it in `reply-to`
//   /dlq/NAME          what queue NAME could not deliver
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstdint>
#include <vector>

namespace hawser::stomp {

struct DestinationView {
  enum class Kind : std::uint8_t { queue, topic, temp_queue, reply_queue, dead_letters };
  Kind kind = Kind::queue;
  BytesView name;  ///< what follows the prefix; never empty
  BytesView text;  ///< all of it
};

/// invalid_argument tells what is wrong and what there is.
Result<DestinationView> parse_destination(BytesView text);

/// Are there words `*`, `>` or `#` in it? Words end at '.' and '/'.
bool has_wildcards(BytesView name) noexcept;

/// "/queue/a,/topic/b" names two (a composite destination, D-11). Views into `text`.
std::vector<BytesView> split_composite(BytesView text);

/// Does the rule ("/topic/trains.>", "/queue/*") allow all that `destination` names? The
/// destination may have wildcards of its own: a rule of `*` allows a subscription of `*`, not `>`.
/// '.' and '/' part words alike; `>` and `#` stand for the rest, also for none.
bool covers(BytesView rule, BytesView destination) noexcept;

}  // namespace hawser::stomp
