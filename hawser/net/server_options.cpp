// The check of a server's options: every fault, each with its field's name.
#include <hawser/net/server_options.hpp>

#include <fmt/format.h>

namespace hawser {

std::vector<std::string> ServerOptions::faults() const {
  std::vector<std::string> faults;
  if (const auto& address = listen.parsed(); !address) {
    faults.push_back(fmt::format("listen: {}", address.error().detail));
  } else if (!listen.inherited().empty()) {
    if (sockets == nullptr) {
      faults.push_back(fmt::format("listen: '{}' is an inherited socket, and sockets names none",
                                   listen.inherited()));
    }
  } else if (address->family() == Address::Family::none) {
    faults.emplace_back("listen: no address");
  } else if (address->is_unix() && spread == AcceptSpread::per_scheduler) {
    faults.emplace_back("spread: per_scheduler is not for Unix sockets; use hand_over");
  }
  if (const auto valid = framing.validate(); !valid)
    faults.push_back(fmt::format("framing: {}", valid.error().detail));
  for (const auto& fault : connection.faults()) faults.push_back("connection." + fault);
  if (max_connections == 0) faults.emplace_back("max_connections: must be at least 1");
  if (at_limit == AtLimit::shed && !shed) faults.emplace_back("shed: AtLimit::shed needs one");
  if (shed_deadline <= Duration::zero())
    faults.emplace_back("shed_deadline: must be longer than zero");
  if (shed_at_once == 0) faults.emplace_back("shed_at_once: must be at least 1");
  if (spread == AcceptSpread::hand_over && acceptors > 1)
    faults.emplace_back("acceptors: hand_over has one; more are for per_scheduler");
  if (listen_retry < Duration::zero()) faults.emplace_back("listen_retry: must not be negative");
  if (strategy == Strategy::simple_one_for_one)
    faults.emplace_back("strategy: simple_one_for_one is not for a server's parts");
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    for (const auto& fault : alarms[i].faults())
      faults.push_back(fmt::format("alarms[{}].{}", i, fault));
    for (std::size_t other = 0; other < i; ++other)
      if (alarms[other].name == alarms[i].name)
        faults.push_back(fmt::format("alarms[{}].name: \"{}\" is there twice", i, alarms[i].name));
  }
  if (keeper.child && (!keeper.child->start || keeper.child->id.empty()))
    faults.emplace_back("keeper.child: needs an id and a start function");
  if (backlog < 1) faults.emplace_back("backlog: must be at least 1");
  if (drain_deadline < Duration::zero())
    faults.emplace_back("drain_deadline: must not be negative");
  if (newcomers_grace < Duration::zero())
    faults.emplace_back("newcomers_grace: must not be negative");
  if (accept_pause <= Duration::zero())
    faults.emplace_back("accept_pause: must be longer than zero");
  if (period <= Duration::zero()) faults.emplace_back("period: must be longer than zero");
  if (unix_mode > 0777) faults.emplace_back("unix_mode: permission bits are 0 to 0777");
  for (const auto& fault : socket.faults()) faults.push_back("socket." + fault);
  if (mailbox.messages == 0) faults.emplace_back("mailbox.messages: must be at least 1");
  return faults;
}

std::vector<std::string> SetServerOptions::faults() const {
  std::vector<std::string> faults;
  if (max_connections == 0U) faults.emplace_back("max_connections: must be at least 1");
  if (connection)
    for (const auto& fault : connection->faults()) faults.push_back("connection." + fault);
  if (framing)
    if (const auto valid = framing->validate(); !valid)
      faults.push_back(fmt::format("framing: {}", valid.error().detail));
  if (mailbox && mailbox->messages == 0)
    faults.emplace_back("mailbox.messages: must be at least 1");
  return faults;
}

}  // namespace hawser
