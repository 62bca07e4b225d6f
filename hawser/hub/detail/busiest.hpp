// Which connections of all servers move most, by what they have done since the last look. Internal
// to the observer; belongs to one session.
#pragma once

#include <hawser/net/connection_messages.hpp>
#include <hawser/process/task.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hawser::hub::detail {

/// A connection with its rates, each a second.
struct RatedConnection {
  std::string server;
  ConnectionInfo info;
  double packets_in = 0;
  double packets_out = 0;
  double bytes_in = 0;
  double bytes_out = 0;
};

struct BusiestQuery {
  enum class By : std::uint8_t { packets, bytes, unsent, age };
  By by = By::packets;
  std::string server;  ///< "": all
  std::size_t offset = 0;
  std::size_t count = 20;
};

struct BusiestAnswer {
  std::vector<RatedConnection> rows;
  std::size_t connections = 0;  ///< of which these are some
};

class Busiest {
 public:
  /// Lists the connections in pieces and compares: thousands cost no scheduler more than a fraction
  /// of a millisecond at a time. Rates are since the last call, for new ones since their start.
  Task<BusiestAnswer> look(BusiestQuery query, std::vector<std::string> servers);

 private:
  /// What a connection had done when it was last seen; found by its place in the process table.
  struct Seen {
    std::uint32_t generation = 0;
    Instant when;
    std::uint64_t packets_in = 0;
    std::uint64_t packets_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
  };
  RatedConnection rate(const ConnectionInfo& info, Instant now);

  std::vector<std::vector<Seen>> seen_;  // by scheduler
};

}  // namespace hawser::hub::detail
