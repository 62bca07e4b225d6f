// Reads datagrams with the address they were sent to and the interface they came in on. Internal to
// the real engines; one per engine, its thread.
#pragma once

#include <hawser/engine/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace hawser::detail {

class DatagramReceiver {
 public:
  /// The longest that a datagram can be, IPv6 without jumbograms.
  static constexpr std::size_t longest = 65536;

  /// Takes one datagram from the socket, bound to `port`, without waiting: fills `datagram` and
  /// answers its length, or a negative errno (-EAGAIN: none is there). Its bytes hold until the
  /// next call.
  int receive(int number, std::uint16_t port, Datagram& datagram);

 private:
  std::unique_ptr<char[]> buffer_;  // made when the first datagram is asked for
};

}  // namespace hawser::detail
