// The two presets of a host's policy, and what is wrong with its settings, in words.
#include <hawser/noam/host_options.hpp>

#include <hawser/base/utf8.hpp>

#include <fmt/format.h>

namespace hawser::noam {

HostPolicy HostPolicy::compatible() {
  HostPolicy policy;
  policy.unregistered_publishers = true;
  policy.spaces_in_prefix = true;
  policy.off = WhenOff::ignore;
  return policy;
}

HostPolicy HostPolicy::strict() {
  HostPolicy policy;
  policy.sender = SenderCheck::drop;
  policy.without_marco = false;
  policy.ungrabbed_guests = false;
  return policy;
}

std::vector<std::string> HostOptions::faults() const {
  std::vector<std::string> faults;
  const auto fault = [&](bool wrong, std::string what) {
    if (wrong) faults.push_back(std::move(what));
  };
  fault(!fits_polo(room), "room: its polo has more than 127 bytes");
  fault(!is_utf8(room), "room: not UTF-8");
  fault(!tcp && !websocket, "tcp, websocket: a host listens somewhere");
  const auto is_ip = [](const std::optional<std::string>& where) {
    if (!where) return true;
    const auto address = Address::parse(*where);
    // What is no address at all is told by the listener.
    return !address || !address->is_unix();
  };
  fault(!is_ip(tcp), "tcp: an IP address (lemmas are called back)");
  if (discovery) {
    const auto address = Address::parse(*discovery);
    fault(!address || address->family() != Address::Family::ipv4, "discovery: an IPv4 address");
  }
  fault(frame_limit == 0 || frame_limit > longest_frame,
        fmt::format("frame_limit: 1 to {}", longest_frame));
  fault(tick < 10ms, "tick: at least 10ms");
  fault(stale <= Duration::zero(), "stale: longer than zero");
  fault(!(heartbeat_factor >= 1 && heartbeat_factor <= 1'000), "heartbeat_factor: 1 to 1000");
  fault(callback_timeout <= Duration::zero(), "callback_timeout: longer than zero");
  fault(registration_timeout <= Duration::zero(), "registration_timeout: longer than zero");
  fault(lemmas == 0, "lemmas: at least 1");
  fault(intake == 0, "intake: at least 1");
  fault(fetches == 0 || fetch_bytes == 0, "fetches, fetch_bytes: at least 1");
  fault(fetch_timeout <= Duration::zero(), "fetch_timeout: longer than zero");
  fault(operators == 0, "operators: at least 1");
  fault(ear_events == 0 || ear_bytes == 0, "ear_events, ear_bytes: at least 1");
  return faults;
}

}  // namespace hawser::noam
