// Where a message goes. Public; plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hawser::bus {

/// The protocols map their own spelling ("/queue/jobs") onto it.
struct Destination {
  enum class Kind : std::uint8_t {
    topic,  ///< everybody subscribed now gets it. To subscribe, the name may be a pattern: `*`
            ///< stands for one word, `#` or `>` at the end for the rest, also for none; `.` and `/`
            ///< part words
    queue,  ///< one consumer gets it; it waits until there is one
    subscription,  ///< a durable subscription: a queue that a topic pattern fills. For subscribing,
                   ///< removing and listing; nobody publishes to it
  };
  Kind kind = Kind::topic;
  std::string name;
  friend bool operator==(const Destination&, const Destination&) = default;
  friend auto operator<=>(const Destination&, const Destination&) = default;
};

/// "queue \"jobs\"", for errors and logs.
std::string describe(const Destination& destination);

/// The queue that gets what queue or durable subscription `name` could not deliver, unless its
/// options say another: "dlq/" + name. It has no dead-letter queue of its own.
inline constexpr std::string_view dead_letter_prefix = "dlq/";

/// Whether a topic's name to subscribe to has wildcards.
bool is_pattern(std::string_view name) noexcept;

}  // namespace hawser::bus
