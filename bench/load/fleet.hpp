// Opens many connections to one server, a bounded number at a time. Internal to bench/load; one
// thread.
#pragma once

#include <bench/load/sockets.hpp>
#include <bench/load/stream.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstddef>
#include <vector>

namespace hawser::bench {

/// Appends connections to `fleet` until it has `count`. At most `at_once` connects are under way,
/// which must stay below the server's backlog. When `greet` is set, every new connection exchanges
/// one packet of `payload` bytes, so that the server has surely accepted and served it. Errors:
/// refused, exhausted, closed, protocol_error, timeout (nothing moved for `stall`).
struct FleetPlan {
  Endpoint server{};
  unsigned count = 0;
  unsigned at_once = 256;
  bool greet = false;
  std::size_t payload = 4;
  Duration stall = 10s;
};
Result<void> open_fleet(const FleetPlan& plan, std::vector<Descriptor>& fleet);

/// A connection and what its packets travel in.
struct Fellow {
  Descriptor socket;
  Stream stream;
};
/// The same over any wire; handshakes, and greetings that are not plain, come one after another.
Result<void> open_streams(const FleetPlan& plan, Wire wire, const TlsClients& clients,
                          std::vector<Fellow>& fleet);
void abort_streams(std::vector<Fellow>& fleet) noexcept;

/// Raises the limit of descriptors; exhausted when so many connections do not fit.
Result<void> check_descriptors(unsigned connections, const char* operation);

/// Closes all with a reset, so that no port is left waiting.
void abort_fleet(std::vector<Descriptor>& fleet) noexcept;

/// Watches a descriptor edge-triggered; `index` comes back with its events.
Result<void> watch(int epoll, int fd, std::uint32_t events, std::uint64_t index);

}  // namespace hawser::bench
