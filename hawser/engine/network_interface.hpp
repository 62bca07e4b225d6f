// A network interface of this machine with its addresses, as Engine::interfaces() tells them.
// Public; plain value.
#pragma once

#include <hawser/engine/address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

struct NetworkInterface {
  /// One address of it, with port 0.
  struct Network {
    Address address;
    unsigned prefix = 0;  ///< bits of the address that name the network
    /// Where a datagram reaches every host of the network (IPv4 only).
    std::optional<Address> broadcast{};
    friend bool operator==(const Network&, const Network&) = default;
  };

  std::string name;
  std::uint32_t index = 0;  ///< what Datagram::interface_index and send_datagram() call it
  bool up = false;          ///< switched on, and its cable (or whatever it has) carries something
  bool loopback = false;
  bool multicast = false;
  std::vector<Network> networks{};  ///< its IP addresses; may be none

  friend bool operator==(const NetworkInterface&, const NetworkInterface&) = default;
};

}  // namespace hawser
