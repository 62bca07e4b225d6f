// What the operator's API answers, as the original host's browser page reads it (noam.md 9.3).
// Internal to the layer; pure.
#pragma once

#include <hawser/noam/room.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace hawser::noam::detail {

std::int64_t milliseconds(WallTime at);

/// {"on":false,"name":""}
std::string settings_json(const Room& room);
/// Players and last values. `type` is "good", or "timeout" for a poll that ran out.
std::string refresh_json(const Room& room, std::string_view type, WallTime now);
/// The lists that `query` (types, and an order for each) asks for; without types all of them.
std::string guests_json(const Room& room, std::string_view query, std::string_view type,
                        WallTime now);
std::string free_lemma_json(const FreeLemma& lemma);

}  // namespace hawser::noam::detail
