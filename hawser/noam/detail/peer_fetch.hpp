// Asks another host for the guests it owns (noam.md 9.4). Internal to the layer.
#pragma once

#include <hawser/net/connection_group.hpp>
#include <hawser/noam/room.hpp>

#include <memory>
#include <optional>
#include <string>

namespace hawser::noam::detail {

/// Sent to the asker's handle_info, once, whatever becomes of it.
struct PeerGuests {
  std::string room;
  std::optional<std::string> json;  ///< the value of guests-owned; nothing: it did not work
};

struct PeerFetch {
  Pid asker;
  std::string room;
  Address http;
  std::size_t bytes = 0;  ///< the answer has at most so many
  Duration timeout{};     ///< and is there within so long
};

/// Starts it; false when it cannot even begin, and nothing is sent.
bool start_peer_fetch(const std::shared_ptr<ConnectionGroup>& group, const PeerFetch& fetch);

}  // namespace hawser::noam::detail
