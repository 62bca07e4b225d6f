// What the parts of one server share: settings that never change, counters that any thread may
// read, and the address once it is bound. Internal to the net layer.
#pragma once

#include <hawser/net/connection_group.hpp>
#include <hawser/net/connection_limit.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/scheduler.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace hawser::detail {

/// Starts one connection with the server's handler; called on all schedulers.
using ConnectionStarter = std::function<Result<Pid>(const std::shared_ptr<ConnectionGroup>&,
                                                    NativeSocket, const SpawnOptions&)>;

struct alignas(64) ListenerCounters {
  Counter accepted;
  Counter errors;
  Counter refused;
};

/// Where a server was bound: a listener that is started again takes the same port.
class BoundAddress {
 public:
  void set(const Address& address) {
    const std::lock_guard lock(mutex_);
    address_ = address;
  }
  /// `asked` until it is known.
  Address get(const Address& asked) const {
    const std::lock_guard lock(mutex_);
    return address_.value_or(asked);
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Address> address_;
};

/// The supervisor of connections on each scheduler, as of now: one that was restarted is found
/// again.
class SupervisorTable {
 public:
  explicit SupervisorTable(unsigned schedulers) : pids_(schedulers) {}
  void set(unsigned scheduler, Pid pid) {
    const std::lock_guard lock(mutex_);
    pids_[scheduler] = pid;
  }
  Pid get(unsigned scheduler) const {
    const std::lock_guard lock(mutex_);
    return pids_[scheduler];
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Pid> pids_;
};

struct ServerState {
  explicit ServerState(unsigned schedulers) : supervisors(schedulers) {}

  std::string name;
  ServerOptions options;
  Address asked;
  ConnectionStarter start;
  std::shared_ptr<BoundAddress> bound;  // outlives restarts of the whole server
  std::shared_ptr<ConnectionLimit> limit;
  std::vector<std::shared_ptr<ConnectionCounters>> counters;  // by scheduler
  std::vector<ListenerCounters> listeners;                    // by listener
  SupervisorTable supervisors;
  std::mutex mutex;
  std::optional<Error> listen_error;  // the last listener's, with all its words

  std::string listener_name(unsigned number) const {
    return name + "/listener/" + std::to_string(number);
  }
  std::string connections_name(unsigned scheduler) const {
    return name + "/connections/" + std::to_string(scheduler);
  }
};

}  // namespace hawser::detail
