// Host names to addresses by the system's resolver. Internal; plain functions, any thread.
#pragma once

#include <hawser/engine/address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hawser::detail {

/// The address that `host` spells out ("127.0.0.1", "::1", "fe80::1%2"), if it is no name.
std::optional<Address> literal_address(const std::string& host, std::uint16_t port);

/// Asks getaddrinfo; blocks for as long as it takes. Addresses in the order to try them (RFC 6724),
/// each once. An unknown name is "not found", a server that does not answer "timeout".
Result<std::vector<Address>> look_up(const std::string& host, std::uint16_t port);

}  // namespace hawser::detail
