// The check of a connection's settings.
#include <hawser/net/connection_options.hpp>

#include <fmt/format.h>

namespace hawser {

std::vector<std::string> ConnectionOptions::faults() const {
  std::vector<std::string> faults;
  const auto not_negative = [&](const char* name, Duration length) {
    if (length < Duration::zero())
      faults.push_back(fmt::format("{}: must not be negative (0 switches it off)", name));
  };
  not_negative("handshake_timeout", handshake_timeout);
  not_negative("packet_timeout", packet_timeout);
  not_negative("idle_timeout", idle_timeout);
  not_negative("write_deadline", write_deadline);
  not_negative("flush_deadline", flush_deadline);
  if (high_water == 0) faults.emplace_back("high_water: must be at least 1 byte");
  if (low_water >= high_water)
    faults.push_back(
        fmt::format("low_water: {} must be below high_water, which is {}", low_water, high_water));
  if (send_limit < high_water)
    faults.push_back(fmt::format("send_limit: {} must not be below high_water, which is {}",
                                 send_limit, high_water));
  if (slow_packets == 0) faults.emplace_back("slow_packets: must be at least 1");
  if (packets_per_turn == 0) faults.emplace_back("packets_per_turn: must be at least 1");
  if (unfinished_limit == 0) faults.emplace_back("unfinished_limit: must be at least 1 byte");
  return faults;
}

}  // namespace hawser
