// What the parts of one server share: settings, counters that any thread may read, the address once
// it is bound, and who the parts are. Internal to the net layer.
#pragma once

#include <hawser/net/connection_group.hpp>
#include <hawser/net/connection_limit.hpp>
#include <hawser/net/detail/listening_socket.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/scheduler.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::detail {

/// Starts one connection with the server's handler; called on all schedulers.
using ConnectionStarter = std::function<Result<Pid>(const std::shared_ptr<ConnectionGroup>&,
                                                    NativeSocket, const SpawnOptions&)>;

struct alignas(64) ListenerCounters {
  Counter accepted;
  Counter errors;
  Counter refused;
  Counter shed;
  std::atomic<std::uint8_t> held{0};  // why it does not accept; see Listener::Hold
  std::atomic<unsigned> scheduler{0};
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

/// The processes of one kind, by number, as of now: one that was restarted is found again.
class PidTable {
 public:
  explicit PidTable(unsigned count = 0) : pids_(count) {}
  void set(unsigned number, Pid pid) {
    const std::lock_guard lock(mutex_);
    pids_[number] = pid;
  }
  Pid get(unsigned number) const {
    const std::lock_guard lock(mutex_);
    return number < pids_.size() ? pids_[number] : Pid{};
  }
  std::vector<Pid> all() const {
    const std::lock_guard lock(mutex_);
    return pids_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Pid> pids_;
};

/// What connections that come from now on are started with.
struct NewConnections {
  Framing framing = length_prefixed(2);
  ConnectionOptions options;
  TransportMakers transports;
  MailboxLimit mailbox;
  bool traced = false;
  ConnectionStarter start;
};

/// What the drain of a server is about.
struct Draining {
  Duration deadline{};
  Reason reason = Reason::shutdown();
};

struct ServerState {
  ServerState(unsigned schedulers, unsigned listening)
      : listeners(listening), acceptors(listening), supervisors(schedulers), kept(schedulers) {}

  // ---- never changed after the start
  std::string name;        // where it listens, if it was given none
  std::string given_name;  // "" for such a one
  ServerOptions options;
  Address asked;
  Pid parent;                           // who started the server, and ends it
  unsigned first_scheduler = 0;         // the server's own
  std::shared_ptr<BoundAddress> bound;  // outlives restarts of the whole server
  std::shared_ptr<ConnectionLimit> limit;
  std::vector<std::shared_ptr<ConnectionCounters>> counters;  // by scheduler

  // ---- any thread
  std::vector<ListenerCounters> listeners;  // by acceptor
  PidTable acceptors;
  PidTable supervisors;  // of connections, by scheduler
  PidTable others = PidTable(2);
  static constexpr unsigned monitor = 0;  // in others
  static constexpr unsigned keeper = 1;

  // ---- each scheduler its own: what the keeper has been told of and not yet been told the end of
  std::vector<std::map<Pid, ConnectionInfo>> kept;

  void set_new_connections(NewConnections settings) {
    const std::lock_guard lock(mutex_);
    new_connections_ = std::move(settings);
  }
  NewConnections new_connections() const {
    const std::lock_guard lock(mutex_);
    return new_connections_;
  }
  /// How it is suspended; nothing while it is not.
  void set_suspended(std::optional<SuspendMode> mode) {
    const std::lock_guard lock(mutex_);
    suspended_ = mode;
  }
  std::optional<SuspendMode> suspended() const {
    const std::lock_guard lock(mutex_);
    return suspended_;
  }
  /// The first call counts; answers whether this was it.
  bool begin_drain(Draining draining) {
    const std::lock_guard lock(mutex_);
    if (draining_) return false;
    draining_ = std::move(draining);
    return true;
  }
  std::optional<Draining> draining() const {
    const std::lock_guard lock(mutex_);
    return draining_;
  }
  /// Names of the alarms that are raised.
  void set_alarms(std::vector<std::string> raised) {
    const std::lock_guard lock(mutex_);
    alarms_ = std::move(raised);
  }
  std::vector<std::string> alarms() const {
    const std::lock_guard lock(mutex_);
    return alarms_;
  }
  /// The last listener's, with all its words.
  void set_listen_error(Error error) {
    const std::lock_guard lock(mutex_);
    listen_error_ = std::move(error);
  }
  std::optional<Error> take_listen_error() {
    const std::lock_guard lock(mutex_);
    return std::exchange(listen_error_, std::nullopt);
  }
  /// The first socket, bound before there was a listener for it.
  void set_prepared(std::unique_ptr<ListeningSocket> socket) {
    const std::lock_guard lock(mutex_);
    prepared_ = std::move(socket);
  }
  /// It, when it was bound on this scheduler.
  std::unique_ptr<ListeningSocket> take_prepared(const Scheduler& scheduler) {
    const std::lock_guard lock(mutex_);
    if (prepared_ == nullptr || &prepared_->scheduler() != &scheduler) return nullptr;
    return std::move(prepared_);
  }

  std::string listener_name(unsigned number) const {
    return name + "/listener/" + std::to_string(number);
  }
  std::string connections_name(unsigned scheduler) const {
    return name + "/connections/" + std::to_string(scheduler);
  }
  std::string monitor_name() const { return name + "/monitor"; }

 private:
  mutable std::mutex mutex_;
  NewConnections new_connections_;
  std::optional<SuspendMode> suspended_;
  std::optional<Draining> draining_;
  std::vector<std::string> alarms_;
  std::optional<Error> listen_error_;
  std::unique_ptr<ListeningSocket> prepared_;
};

}  // namespace hawser::detail
