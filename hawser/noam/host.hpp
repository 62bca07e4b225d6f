// A Noam host: one call makes a supervised tree that is found, takes registrations over TCP and
// WebSocket, and relays events. Public.
//
//   system.start(noam::host("noam", {.room = "lab"}));
//
//   supervisor NAME (rest_for_one)
//   ├── NAME/room       who is registered, and every decision; discovery; the ears (one a lemma)
//   ├── NAME/tcp        a server: lemmas' own connections
//   ├── NAME/websocket  the same over WebSocket
//   └── NAME/http       the operator's API, if there is one
// A room and all its connections live on one scheduler: events pass through it by queue pushes at
// home, and in order.
#pragma once

#include <hawser/noam/host_options.hpp>
#include <hawser/process/child_spec.hpp>

#include <optional>
#include <string>

namespace hawser {
class System;
}

namespace hawser::noam {

/// Where a host really listens: ports that were 0 are known.
struct HostAddresses {
  std::optional<Address> discovery{};
  std::optional<Address> tcp{};
  std::optional<Address> websocket{};
  std::optional<Address> http{};
};

/// Starting it fails with invalid_argument (every wrong option is named) or with what keeps it from
/// listening.
ChildSpec host(std::string name, HostOptions options);

// From plain threads; not_found when no host has that name.
Result<HostAddresses> host_addresses(System& system, const std::string& name);
Result<HostStatus> host_status(System& system, const std::string& name);
/// What the operator's API does, by name of the host.
Result<void> set_host_room(System& system, const std::string& name, std::string room);
Result<void> set_host_on(System& system, const std::string& name, bool on);
/// false: there is no such free lemma, or guest.
Result<bool> grab_guest(System& system, const std::string& name, std::string lemma);
Result<bool> free_guest(System& system, const std::string& name, std::string lemma);
Result<void> play_event(System& system, const std::string& name, std::string topic,
                        std::string text);

}  // namespace hawser::noam
