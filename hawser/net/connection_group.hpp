// The connections of one server (or client) on one scheduler: what they share, who they are, and
// the sockets whose last bytes are still leaving. Internal to the net layer; belongs to its thread.
#pragma once

#include <hawser/base/log.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/connection_counters.hpp>
#include <hawser/net/connection_limit.hpp>
#include <hawser/net/connection_options.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace hawser {

class Connection;
class Reason;
class Scheduler;

/// Sent to the group's owner (handle_info) once nothing is left, after tell_when_empty().
struct ConnectionsGone {};

/// A place in the group's list, embedded in each connection.
struct ConnectionHook {
  Connection* previous = nullptr;
  Connection* next = nullptr;
};

class ConnectionGroup {
 public:
  struct Parts {
    std::string name;  ///< the server's, for log lines
    Framing framing;
    ConnectionOptions options{};
    std::shared_ptr<ConnectionLimit> limit{};        ///< set: one permit a connection
    std::shared_ptr<ConnectionCounters> counters{};  ///< never null
    TransportMakers transports{};                    ///< of each connection, the lowest first
    /// Called with each connection that goes, while its figures are still there.
    std::function<void(Connection&)> leaving{};
  };
  ConnectionGroup(Scheduler& scheduler, Pid owner, Parts parts);
  ConnectionGroup(const ConnectionGroup&) = delete;
  ConnectionGroup& operator=(const ConnectionGroup&) = delete;
  ~ConnectionGroup();

  Scheduler& scheduler() const noexcept { return scheduler_; }
  const std::string& name() const noexcept { return parts_.name; }
  const Framing& framing() const noexcept { return parts_.framing; }
  const ConnectionOptions& options() const noexcept { return parts_.options; }
  ConnectionCounters& counters() const noexcept { return *parts_.counters; }
  const TransportMakers& transports() const noexcept { return parts_.transports; }
  /// Memory for bytes on their way through transports.
  SendPool& send_pool() noexcept { return send_pool_; }

  std::size_t size() const noexcept { return size_; }
  std::size_t lingering() const noexcept { return lingering_.size(); }
  bool empty() const noexcept { return size_ == 0 && lingering_.empty(); }
  /// In the order in which they came. `visit` must not end or start one.
  void for_each(const std::function<void(Connection&)>& visit) const;

  /// A connection comes in; with a limit, it brings its permit.
  void add(Connection& connection) noexcept;
  /// It ends, and its permit is given back.
  void remove(Connection& connection) noexcept;
  /// It ends, but has bytes unsent: they are sent, at most until `deadline`; then the socket is
  /// closed, and only then is the permit given back.
  void remove_lingering(Connection& connection, SocketId socket, Instant deadline);
  /// Takes a connection out of the limit's count (for one that merely waits, say): somebody else
  /// may come in for it. It stays in the group, and is drained with it. Once is enough.
  void uncount(Connection& connection);

  /// A place in the list that survives whatever comes and goes: for walks over several turns.
  class Cursor {
   public:
    explicit Cursor(ConnectionGroup& group) noexcept;
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    ~Cursor();
    /// The next one in the order in which they came; nullptr at the end.
    Connection* next() noexcept;

   private:
    friend class ConnectionGroup;
    ConnectionGroup& group_;
    Connection* at_;
    Cursor* other_;
  };

  /// Drops what still leaves: a drain's deadline has passed.
  void cut_lingering() noexcept;

  /// The owner gets ConnectionsGone when the group is empty (at once if it is).
  void tell_when_empty();
  void belong_to(Pid owner) noexcept { owner_ = owner; }
  /// A connection of a group without an owner (a client's) has ended: what it leaves unsent shall
  /// be looked after, and told if it is lost, though nobody else may hold the group any more. For
  /// the scheduler's thread.
  static void look_after_last_bytes(const std::shared_ptr<ConnectionGroup>& group);

  /// So many bytes of that connection were queued and will never leave: counts and tells it.
  void lose(Pid connection, const Address& peer, std::size_t bytes, LogLevel level,
            std::string_view why) noexcept;

 private:
  class Lingering;
  class LastBytes;
  void take_out(Connection& connection) noexcept;
  void give_back(bool counted) noexcept;
  bool forget_uncounted(Connection& connection) noexcept;
  void check_empty() noexcept;

  Scheduler& scheduler_;
  Pid owner_;
  Parts parts_;
  Connection* first_ = nullptr;
  Connection* last_ = nullptr;
  std::size_t size_ = 0;
  SendPool send_pool_{std::size_t{256} << 10};
  std::list<std::unique_ptr<Lingering>> lingering_;
  std::set<const Connection*> uncounted_;  // looked at only while there are any
  Cursor* cursors_ = nullptr;
  bool tell_ = false;
};

}  // namespace hawser
