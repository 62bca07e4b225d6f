// In which order the addresses of a look-up are tried (RFC 8305 section 4). Internal to the net
// layer; a pure function.
#pragma once

#include <hawser/engine/address.hpp>
#include <hawser/net/dial_options.hpp>

#include <vector>

namespace hawser::detail {

/// The two families by turns, beginning with `first`; within each family the order stays as it was
/// (RFC 6724's), each address once. What is left of the longer family comes at the end.
std::vector<Address> interleaved(const std::vector<Address>& addresses, FirstFamily first);

}  // namespace hawser::detail
