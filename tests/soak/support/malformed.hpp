// Everything a STOMP client can say wrongly, and what the broker must answer. Internal to
// tests/soak.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hawser::soak {

struct Malformed {
  std::string name;
  std::string octets;
  bool logged_in = true;  ///< said after a CONNECT of 1.2, else first of all
  std::string error;      ///< the beginning of the ERROR's `message`
  std::string receipt{};  ///< what the ERROR's receipt-id must be
};

/// At broker limits of 2,000 octets a body, 300 a header line, 10 headers, 600 a block, 40 octets a
/// destination, subscription id or receipt, and 2 subscriptions.
const std::vector<Malformed>& malformed_frames();

}  // namespace hawser::soak
