// The list of connections, and sockets on their last bytes.
#include <hawser/net/connection_group.hpp>

#include <hawser/net/connection.hpp>
#include <hawser/net/trace_points.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/send.hpp>
#include <hawser/process/spawn.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {

/// A socket whose process has ended. What the peer still sends is dropped, so that one which wants
/// to be rid of its own bytes first comes to read ours.
class ConnectionGroup::Lingering final : public StreamEvents, public Timer {
 public:
  Lingering(ConnectionGroup& group, Pid connection, SocketId socket, Instant deadline, bool counted)
      : group_(group),
        connection_(connection),
        socket_(socket),
        deadline_(deadline),
        counted_(counted) {
    Engine& engine = group.scheduler_.engine();
    engine.set_events(socket, *this);
    engine.resume_receiving(socket);
    engine.notify_below(socket, 0);
    group.scheduler_.timers().arm(*this, deadline);
  }
  ~Lingering() {
    group_.scheduler_.engine().close_now(socket_);
    group_.give_back(counted_);
  }
  /// The group goes first: the engine, by itself, still sends what is queued and waits for the end.
  void leave_to_engine() {
    group_.scheduler_.engine().close(socket_, CloseMode::graceful, deadline_);
  }
  /// Its time is over, or its peer gone.
  void cut(LogLevel level, std::string_view why) {
    Engine& engine = group_.scheduler_.engine();
    group_.lose(connection_, engine.peer(socket_).value_or(Address{}), engine.unsent(socket_),
                level, why);
  }
  void place_at(std::list<std::unique_ptr<Lingering>>::iterator place) noexcept { place_ = place; }

 private:
  void on_received(BytesView) override {}
  void on_end_of_stream() override {}
  void on_drained() override {
    group_.scheduler_.engine().close(socket_, CloseMode::graceful, deadline_);
    finish();
  }
  void on_failed(const Error& error) override {
    cut(LogLevel::debug, error.text());
    finish();
  }
  void fire() override {
    group_.counters().cut_off.add();
    cut(LogLevel::info, "the flush deadline passed");
    finish();
  }
  void finish() {
    ConnectionGroup& group = group_;
    group.lingering_.erase(place_);  // this object is gone
    group.check_empty();
  }

  ConnectionGroup& group_;
  Pid connection_;
  SocketId socket_;
  Instant deadline_;
  bool counted_;
  std::list<std::unique_ptr<Lingering>>::iterator place_;
};

/// Holds a group that nobody else may hold any more until nothing of it is left.
class ConnectionGroup::LastBytes {
 public:
  explicit LastBytes(std::shared_ptr<ConnectionGroup> group) noexcept : group_(std::move(group)) {}
  void init() {
    group_->belong_to(self().pid());
    group_->tell_when_empty();
  }
  Next handle_info(Info& info) {
    if (info.get<ConnectionsGone>() == nullptr) return keep();
    group_->belong_to({});
    return stop();
  }
  std::string describe() const { return "last bytes of " + group_->name(); }

 private:
  std::shared_ptr<ConnectionGroup> group_;  // shared with its connections
};

void ConnectionGroup::look_after_last_bytes(const std::shared_ptr<ConnectionGroup>& group) {
  if (group->owner_ || group->lingering_.empty()) return;
  // In a turn of its own: the process that ends is on the stack. Should there be no room for one
  // more, the group goes, and the engine does what it can.
  group->scheduler_.post([group] {
    if (group->owner_ || group->lingering_.empty()) return;
    static_cast<void>(spawn<LastBytes>(group->scheduler_, {}, group));
  });
}

void ConnectionGroup::lose(Pid connection, const Address& peer, std::size_t bytes, LogLevel level,
                           std::string_view why) noexcept {
  if (bytes == 0) return;
  counters().bytes_lost.add(bytes);
  Telemetry& telemetry = scheduler_.telemetry();
  if (!telemetry.wants(level)) return;
  telemetry.raise(trace_point::connection_bytes_lost, level, scheduler_.now(), connection, name(),
                  {{"bytes", static_cast<std::int64_t>(bytes)}}, [&] {
                    return fmt::format(
                        "connection {} from {} has lost {} bytes that had not left: {}",
                        connection.text(), peer.text(), bytes, why);
                  });
}

ConnectionGroup::ConnectionGroup(Scheduler& scheduler, Pid owner, Parts parts)
    : scheduler_(scheduler), owner_(owner), parts_(std::move(parts)) {}

ConnectionGroup::~ConnectionGroup() {
  for (const auto& each : lingering_) each->leave_to_engine();
}

void ConnectionGroup::for_each(const std::function<void(Connection&)>& visit) const {
  for (Connection* each = first_; each != nullptr;) {
    Connection* next = each->hook_.next;
    visit(*each);
    each = next;
  }
}

void ConnectionGroup::add(Connection& connection) noexcept {
  connection.hook_ = {last_, nullptr};
  (last_ == nullptr ? first_ : last_->hook_.next) = &connection;
  last_ = &connection;
  ++size_;
}

void ConnectionGroup::take_out(Connection& connection) noexcept {
  if (parts_.leaving) parts_.leaving(connection);
  const ConnectionHook hook = std::exchange(connection.hook_, {});
  for (Cursor* each = cursors_; each != nullptr; each = each->other_)
    if (each->at_ == &connection) each->at_ = hook.next;
  (hook.previous == nullptr ? first_ : hook.previous->hook_.next) = hook.next;
  (hook.next == nullptr ? last_ : hook.next->hook_.previous) = hook.previous;
  --size_;
}

void ConnectionGroup::remove(Connection& connection) noexcept {
  take_out(connection);
  give_back(!forget_uncounted(connection));
  check_empty();
}

void ConnectionGroup::remove_lingering(Connection& connection, SocketId socket, Instant deadline) {
  take_out(connection);
  lingering_.push_back(std::make_unique<Lingering>(*this, connection.pid(), socket, deadline,
                                                   !forget_uncounted(connection)));
  lingering_.back()->place_at(std::prev(lingering_.end()));
}

void ConnectionGroup::give_back(bool counted) noexcept {
  if (parts_.limit == nullptr) return;
  counted ? parts_.limit->give_back(scheduler_.number())
          : parts_.limit->give_back_uncounted(scheduler_.number());
}

void ConnectionGroup::uncount(Connection& connection) {
  if (parts_.limit == nullptr || !uncounted_.insert(&connection).second) return;
  parts_.limit->uncount(scheduler_.number());
}

bool ConnectionGroup::forget_uncounted(Connection& connection) noexcept {
  return !uncounted_.empty() && uncounted_.erase(&connection) != 0;
}

ConnectionGroup::Cursor::Cursor(ConnectionGroup& group) noexcept
    : group_(group), at_(group.first_), other_(std::exchange(group.cursors_, this)) {}

ConnectionGroup::Cursor::~Cursor() {
  Cursor** place = &group_.cursors_;
  while (*place != this) place = &(*place)->other_;
  *place = other_;
}

Connection* ConnectionGroup::Cursor::next() noexcept {
  if (at_ == nullptr) return nullptr;
  return std::exchange(at_, at_->hook_.next);
}

void ConnectionGroup::cut_lingering() noexcept {
  counters().cut_off.add(lingering_.size());
  // Many at once, whose sum the drain tells: not a log line each.
  for (const auto& each : lingering_) each->cut(LogLevel::debug, "the drain's deadline passed");
  lingering_.clear();
  check_empty();
}

void ConnectionGroup::tell_when_empty() {
  tell_ = true;
  check_empty();
}

void ConnectionGroup::check_empty() noexcept {
  if (!tell_ || !empty()) return;
  tell_ = false;
  send_info(owner_, ConnectionsGone{});
}

}  // namespace hawser
