// The kernel's interfaces and the socket on which it tells of their changes (rtnetlink). Internal
// to the real engines; plain functions, any thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/network_interface.hpp>

#include <vector>

namespace hawser::detail {

Result<std::vector<NetworkInterface>> list_interfaces();

/// A non-blocking socket that is readable when an interface or an address came, went or changed.
Result<int> open_interface_watch();

}  // namespace hawser::detail
