// All that is wrong with a set of options, as one error. Public; plain values.
#pragma once

#include <hawser/base/result.hpp>

#include <span>
#include <string>

namespace hawser {

/// invalid_argument with every fault ("packet_timeout: must not be negative"), parted by "; ".
Error faulty(std::string operation, std::span<const std::string> faults);

}  // namespace hawser
