// The text of a place to dial, and the check of the settings.
#include <hawser/net/dial_options.hpp>

#include <hawser/base/quantity.hpp>

#include <fmt/format.h>

namespace hawser {

std::string DialOptions::text() const {
  if (address) return address->text();
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

std::vector<std::string> DialOptions::faults() const {
  std::vector<std::string> faults;
  if (address) {
    if (address->family() == Address::Family::none) {
      faults.emplace_back("address: no address");
    } else if (!address->is_unix() && address->port() == 0) {
      faults.emplace_back("address: has port 0, 1 to 65535 are meant");
    }
  } else {
    if (host.empty()) faults.emplace_back("host: must not be empty unless address is set");
    if (host.size() > most_host_bytes)
      faults.push_back(
          fmt::format("host: is {} bytes long, {} are allowed", host.size(), most_host_bytes));
    if (port == 0) faults.emplace_back("port: must be 1 to 65535");
  }
  if (timeout <= Duration::zero()) faults.emplace_back("timeout: must be longer than zero");
  const bool delay_in_bounds =
      attempt_delay >= least_attempt_delay && attempt_delay <= most_attempt_delay;
  if (!delay_in_bounds && attempt_delay != Duration::max())
    faults.push_back(fmt::format("attempt_delay: {} is not within {} to {} (or never)",
                                 duration_text(attempt_delay), duration_text(least_attempt_delay),
                                 duration_text(most_attempt_delay)));
  if (max_addresses < 1 || max_addresses > most_addresses)
    faults.push_back(
        fmt::format("max_addresses: {} is not within 1 to {}", max_addresses, most_addresses));
  if (from && from->is_unix()) faults.emplace_back("from: must be an IP address");
  for (const auto& fault : socket.faults()) faults.push_back("socket." + fault);
  return faults;
}

}  // namespace hawser
