// Clients on bare sockets, in one thread: they come at a steady rate, each does one of the things
// that clients do, and goes. Internal to the soak on real sockets.
#pragma once

#include <hawser/base/random.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hawser::soak {

/// What one client does. The handler of real_soak.cpp knows the words.
enum class Manner : std::uint8_t {
  echo,         ///< some packets, each answer compared; then it closes
  half_close,   ///< sends, ends its side, and reads to the end
  reset,        ///< asks for much, and resets in the middle
  slow_reader,  ///< asks for much, and reads a little at a time
  silent,       ///< says nothing until the server has had enough
  half_packet,  ///< the beginning of a packet, and no end
  crash,        ///< makes its handler throw
  stop,         ///< asks its handler to stop, and reads the last word
  file,         ///< asks for a file, and compares it
  vanish,       ///< connects and closes at once
};
inline constexpr std::size_t manners = 10;

struct CrowdReport {
  std::array<std::uint64_t, manners> done{};
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;  ///< could not connect
  std::uint64_t cut = 0;      ///< ended by a kill, before it was done
  std::string wrong;          ///< an answer that was not the one due; "" when all were
};

class Crowd {
 public:
  /// `port` of 127.0.0.1; `file`: what the handler sends for "file".
  Crowd(std::uint16_t port, std::string file, std::uint64_t seed);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Connections come at `rate` a second for `length`; then all that are left are closed.
  void run(unsigned rate, std::chrono::milliseconds length);
  const CrowdReport& report() const noexcept { return report_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Client {
    int socket = -1;
    Manner manner = Manner::echo;
    std::string out;
    std::string expected;  // what must come, from the front
    std::size_t read = 0;
    Clock::time_point next_read;  // a slow reader's
    Clock::time_point over;
    bool ended = false;  // its own side
  };
  void come();
  /// False: it is done, and its socket to be closed.
  bool step(Client& client, short events);
  bool read(Client& client);
  void finish(Client& client, bool done);

  std::uint16_t port_;
  std::string file_;
  Random random_;
  std::vector<Client> clients_;
  CrowdReport report_;
};

}  // namespace hawser::soak
