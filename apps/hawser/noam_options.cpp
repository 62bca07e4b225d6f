// From words to a host's options.
#include "noam_options.hpp"
#include "common.hpp"

#include <hawser/base/utf8.hpp>
#include <hawser/noam/host.hpp>

#include <fmt/format.h>

namespace hawser::app {

namespace {

constexpr const char* discovery_place = "0.0.0.0:1030";
constexpr const char* tcp_place = "0.0.0.0:7733";
constexpr const char* websocket_place = "0.0.0.0:8089";
constexpr const char* http_place = "127.0.0.1:8081";

/// What an address must be besides one; "" when it is.
using Demand = std::string (*)(const Address& address);

OptionTable::Read read_place(std::string& target, Demand demand) {
  return [&target, demand](std::string_view text) -> std::string {
    if (text != "none") {
      const auto address = Address::parse(text);
      if (std::string wrong = address ? demand(*address) : std::string{}; !wrong.empty())
        return wrong;
      return read_listen_address(target)(text);
    }
    target = "none";
    return {};
  };
}

std::string any_place(const Address&) { return {}; }
std::string ip_place(const Address& address) {
  return address.is_unix() ? "an IP address: lemmas are called back" : "";
}
std::string ipv4_place(const Address& address) {
  return address.family() == Address::Family::ipv4 ? "" : "an IPv4 address: Noam asks by broadcast";
}

std::optional<std::string> place(const std::string& said, const std::string& standard) {
  const std::string& where = said.empty() ? standard : said;
  return where == "none" ? std::nullopt : std::optional(where);
}

}  // namespace

bool NoamChoice::wanted() const {
  const auto named = [](const std::string& where) { return !where.empty() && where != "none"; };
  return room || named(discovery) || named(tcp) || named(websocket) || named(http);
}

void add_noam_options(OptionTable& table, NoamChoice& choice) {
  table.begin_group("Noam");
  const auto shown = [&choice](const char* standard) { return choice.alone ? standard : "none"; };
  // In the hub a room alone is enough.
  const auto help = [&](const std::string& text, const std::string& standard) {
    return choice.alone ? text : text + "; with a room and no word here: " + standard;
  };
  table.add("room", "NAME", "", "the room that lemmas look for; without one the host is off",
            [&choice](std::string_view text) -> std::string {
              if (!noam::fits_polo(text)) return "the name is too long for a lemma's buffer";
              if (!is_utf8(text)) return "the name is not UTF-8";
              choice.room = std::string(text);
              return {};
            });
  table.add("noam-discovery", "ADDRESS", shown(discovery_place),
            help("UDP, where lemmas and hosts ask; none: nowhere", discovery_place),
            read_place(choice.discovery, ipv4_place));
  table.add("noam", "ADDRESS", shown(tcp_place),
            help("TCP, where lemmas register; none: nowhere", tcp_place),
            read_place(choice.tcp, ip_place));
  table.add("noam-websocket", "ADDRESS", shown(websocket_place),
            help("the same over WebSocket; none: nowhere", websocket_place),
            read_place(choice.websocket, any_place));
  table.add("noam-http", "ADDRESS", shown(http_place),
            "the operator's API, which knows no password; none: nowhere",
            read_place(choice.http, any_place));
  table.add("noam-policy", "suggested|strict|compatible", choice.policy,
            "who may come in and play: see docs/noam.md",
            [&choice](std::string_view text) -> std::string {
              noam::HostPolicy policy;
              if (text == "strict") {
                policy = noam::HostPolicy::strict();
              } else if (text == "compatible") {
                policy = noam::HostPolicy::compatible();
              } else if (text != "suggested") {
                return fmt::format("'{}' is none of suggested|strict|compatible", text);
              }
              policy.ascii = choice.host.policy.ascii;  // noam-text has its own say
              choice.host.policy = policy;
              return {};
            });
  table.add_choice("noam-text", choice.host.policy.ascii, {{"as-is", false}, {"ascii", true}},
                   "how text beyond ASCII is passed on; ascii: escaped");
  table.add_choice("noam-http-stop", choice.host.http_may_stop, {{"no", false}, {"yes", true}},
                   "whether the operator's API may end the program");
  table.add_number("noam-lemmas", choice.host.lemmas, 1, 1'000'000, "registered at once");
  table.add_number("noam-queue-events", choice.host.ear_events, 1, 100'000'000,
                   "waiting for one slow lemma");
  table.add_size("noam-queue-bytes", choice.host.ear_bytes, "the same in bytes");
  table.add_choice("noam-overflow", choice.host.ear_overflow,
                   {{"drop-oldest", noam::EarOverflow::drop_oldest},
                    {"drop-newest", noam::EarOverflow::drop_newest},
                    {"end", noam::EarOverflow::end}},
                   "what happens beyond that");
}

Result<std::vector<std::pair<std::string, Address>>> start_noam(System& system, NoamChoice choice) {
  noam::HostOptions options = std::move(choice.host);
  options.room = choice.room.value_or("");
  options.discovery = place(choice.discovery, discovery_place);
  options.tcp = place(choice.tcp, tcp_place);
  options.websocket = place(choice.websocket, websocket_place);
  options.http = place(choice.http, choice.alone ? http_place : "none");
  if (!options.tcp && !options.websocket) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "start the Noam host",
              "noam and noam-websocket are both none: a host listens somewhere"});
  }
  options.server.drain_deadline = connections_drain(system.options());
  options.server.max_connections = 2 * options.lemmas + 100;
  if (auto started = system.start(noam::host("noam", std::move(options))); !started)
    return std::unexpected(std::move(started.error()));
  auto addresses = noam::host_addresses(system, "noam");
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  std::vector<std::pair<std::string, Address>> ready;
  if (addresses->tcp) ready.emplace_back("noam", *addresses->tcp);
  if (addresses->discovery) ready.emplace_back("noam-discovery", *addresses->discovery);
  if (addresses->websocket) ready.emplace_back("noam-websocket", *addresses->websocket);
  if (addresses->http) ready.emplace_back("noam-http", *addresses->http);
  return ready;
}

}  // namespace hawser::app
