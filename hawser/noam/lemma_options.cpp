// What is wrong with a lemma's settings, in words.
#include <hawser/noam/lemma_options.hpp>

#include <hawser/base/utf8.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace hawser::noam {

std::string_view to_string(LemmaState state) noexcept {
  switch (state) {
    case LemmaState::discovering:
      return "discovering";
    case LemmaState::connecting:
      return "connecting";
    case LemmaState::registering:
      return "registering";
    case LemmaState::connected:
      return "connected";
    case LemmaState::waiting:
      return "waiting";
  }
  return "";
}

std::string_view to_string(Oddity oddity) noexcept {
  switch (oddity) {
    case Oddity::wrong_topic:
      return "an event of a topic that is not heard";
    case Oddity::wrong_guest:
      return "an answer to somebody else's heart-beat";
    case Oddity::no_message:
      return "no message for a lemma";
  }
  return "";
}

Duration LemmaOptions::watchdog_after() const {
  return watchdog <= Duration::zero() ? Duration::max() : std::max(watchdog, 3 * heartbeat);
}

Registration LemmaOptions::registration(std::uint16_t callback_port) const {
  Registration message;
  message.name = guest;
  message.callback_port = callback_port;
  message.hears = hears;
  message.plays = speaks;
  message.dialect = dialect;
  message.version = version;
  message.heartbeat = heartbeat;
  message.heartbeat_ack = true;
  return message;
}

std::vector<std::string> LemmaOptions::faults() const {
  std::vector<std::string> faults = backoff.faults();
  const auto fault = [&](bool wrong, std::string what) {
    if (wrong) faults.push_back(std::move(what));
  };
  constexpr MessageLimits limits;
  fault(guest.empty(), "guest: a lemma needs a name");
  fault(guest.size() > limits.name, fmt::format("guest: at most {} bytes", limits.name));
  fault(room.size() > limits.name, fmt::format("room: at most {} bytes", limits.name));
  fault(!is_utf8(guest), "guest: not UTF-8");
  fault(!is_utf8(room), "room: not UTF-8");
  fault(dialect.size() > limits.name || version.size() > limits.name,
        fmt::format("dialect, version: at most {} bytes", limits.name));
  fault(encode(registration(65'535)).size() > longest_frame,
        fmt::format("hears, speaks: the registration has more than {} bytes", longest_frame));
  for (const auto* topics : {&hears, &speaks}) {
    const char* const field = topics == &hears ? "hears" : "speaks";
    fault(topics->size() > limits.topics, fmt::format("{}: at most {}", field, limits.topics));
    fault(
        std::ranges::any_of(*topics, [&](const auto& each) { return each.size() > limits.topic; }),
        fmt::format("{}: a topic has at most {} bytes", field, limits.topic));
    fault(std::ranges::any_of(*topics, [](const auto& each) { return !is_utf8(each); }),
          fmt::format("{}: a topic is not UTF-8", field));
  }
  fault(!host && !broadcast && discover.empty(),
        "discover: with broadcast off and no host, there is nobody to ask");
  fault(std::ranges::any_of(discover,
                            [](const Address& each) {
                              return each.family() != Address::Family::ipv4 || each.port() == 0;
                            }),
        "discover: an IPv4 address and a port, as all of Noam's discovery");
  fault(broadcast && !host && discovery_port == 0, "discovery_port: 1 to 65535");
  fault(marco_period < 10ms, "marco_period: at least 10ms");
  fault(connect_timeout <= Duration::zero(), "connect_timeout: longer than zero");
  fault(callback_timeout <= Duration::zero(), "callback_timeout: longer than zero");
  fault(heartbeat < 10ms, "heartbeat: at least 10ms");
  fault(queue_events == 0, "queue_events: at least 1");
  fault(queue_bytes == 0, "queue_bytes: at least 1");
  fault(window == 0, "window: at least 1");
  fault(intake == 0, "intake: at least 1");
  fault(frame_limit == 0 || frame_limit > longest_frame,
        fmt::format("frame_limit: 1 to {}", longest_frame));
  const bool v4 = callback.family() == Address::Family::ipv4;
  fault(!v4 && callback.family() != Address::Family::ipv6, "callback: an IP address");
  return faults;
}

}  // namespace hawser::noam
