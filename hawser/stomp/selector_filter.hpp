// A selector (bus/selector.hpp) as the bus takes filters. Public.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/subscription.hpp>

#include <string_view>

namespace hawser::stomp {

/// invalid_argument or overloaded tells what is wrong with the text. Also for BusOptions::make_filter.
Result<bus::FilterPtr> make_selector_filter(std::string_view text);

}  // namespace hawser::stomp
