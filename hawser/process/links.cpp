// Links, monitors and exit signals. All of it travels as messages, so that a signal never overtakes
// a message sent before it, on one scheduler or between two.
//
// Either end may link and unlink while signals of the other are under way. As in Erlang/OTP 24, an
// unlink has an id and is acknowledged. Until then the end that unlinked knows that whatever comes
// over the old link (a link signal sent before the other end heard of the unlink, an exit) means
// nothing: the other end drops its side when it hears. So, whatever crosses, both ends agree in the
// end:
//   my side     link()            unlink()           LINK comes   UNLINK comes   ACK comes
//   none        active, say LINK  -                  active       -, say ACK     -
//   active      -                 pending, say UNL.  -            none, say ACK  -
//   pending id  active, say LINK  -                  -            -, say ACK     none if it is id
#include <hawser/process/detail/process_extras.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/send.hpp>

#include <utility>

namespace hawser {

namespace {
/// Waits neither for the messages before it nor for anybody's consent.
void kill_by_force(Pid target) {
  Scheduler* const scheduler = target.scheduler;
  if (scheduler == nullptr) return;
  if (scheduler == Scheduler::current()) {
    if (Process* process = scheduler->find(target)) process->kill();
    return;
  }
  scheduler->post([target] {
    if (Process* process = target.scheduler->find(target)) process->kill();
  });
}
}  // namespace

class Signal : public Message {
 public:
  bool is_signal() const noexcept final { return true; }
  TraceKind trace_kind() const noexcept override { return TraceKind::signal; }
};

/// `from` ended with `reason`, or called exit(). `linked`: only means something while the link
/// holds.
class ExitSignal final : public Signal {
 public:
  ExitSignal(Pid from, Reason reason, bool linked) noexcept
      : from_(from), reason_(std::move(reason)), linked_(linked) {}
  void deliver(Process& receiver) override {
    // A signal from outside every process (System::stop) reaches the root as its parent's would.
    const bool is_parent = receiver.parent_ == from_ && (from_ || !linked_);
    // As gen_server does: whoever traps exits still obeys its parent.
    const bool obeys = is_parent && reason_.kind() != Reason::Kind::normal &&
                       (receiver.trap_exit_ || receiver.ends_in_its_own_time());
    if (receiver.suspended_ && receiver.trap_exit_ && !obeys) {
      // It will be a message to the handler, and waits with the others. Nothing of the link is
      // touched yet: what the process does before its turn comes (unlink) must still count.
      receiver.extras().deferred.push(
          std::make_unique<ExitSignal>(from_, std::move(reason_), linked_).release());
      return;
    }
    if (linked_) {
      // An unlink that crossed this signal on its way has won: nothing is left to react to.
      if (!receiver.lose_link(from_)) return;
    }
    if (obeys) {
      if (!receiver.ends_in_its_own_time()) {
        receiver.stop(reason_);
      } else if (!receiver.stop_requested_) {
        // What it has to wait for on its way out (the ends of children) comes as messages.
        receiver.set_suspended(false);
        receiver.deliver_shutdown(reason_);
      }
      return;
    }
    receiver.receive_exit(from_, reason_);
  }
  std::string_view describe() const noexcept override { return "exit signal"; }
  TraceKind trace_kind() const noexcept override { return TraceKind::exit; }

 private:
  Pid from_;
  Reason reason_;
  bool linked_;
};

class LinkSignal final : public Signal {
 public:
  explicit LinkSignal(Pid from) noexcept : from_(from) {}
  void deliver(Process& receiver) override {
    if (receiver.parent_ != from_) receiver.extras().links.try_emplace(from_, link_holds);
  }
  void undelivered(Pid target, const Reason&) noexcept override {
    Scheduler::send(from_, std::make_unique<ExitSignal>(target, Reason::no_process(), true));
  }
  std::string_view describe() const noexcept override { return "link signal"; }

 private:
  Pid from_;
};

/// The other end has heard of the unlink with this id, or has ended.
class UnlinkedSignal final : public Signal {
 public:
  UnlinkedSignal(Pid from, std::uint64_t id) noexcept : from_(from), id_(id) {}
  void deliver(Process& receiver) override {
    if (receiver.extras_ == nullptr) return;
    auto& links = receiver.extras_->links;
    const auto found = links.find(from_);
    if (found != links.end() && found->second == id_) links.erase(found);
  }
  std::string_view describe() const noexcept override { return "unlink acknowledgement"; }

 private:
  Pid from_;
  std::uint64_t id_;
};

class UnlinkSignal final : public Signal {
 public:
  UnlinkSignal(Pid from, std::uint64_t id) noexcept : from_(from), id_(id) {}
  void deliver(Process& receiver) override {
    receiver.forget_link(from_);
    acknowledge(receiver.pid());
  }
  void undelivered(Pid target, const Reason&) noexcept override { acknowledge(target); }
  std::string_view describe() const noexcept override { return "unlink signal"; }

 private:
  void acknowledge(Pid self) const noexcept {
    Scheduler::send(from_, std::make_unique<UnlinkedSignal>(self, id_));
  }
  Pid from_;
  std::uint64_t id_;
};

class DownSignal final : public Signal {
 public:
  explicit DownSignal(Down down) noexcept : down_(std::move(down)) {}
  void deliver(Process& receiver) override {
    if (receiver.suspended()) {
      // Waits with the other messages, still a monitor: one of them may yet demonitor it.
      receiver.extras().deferred.push(std::make_unique<DownSignal>(std::move(down_)).release());
      return;
    }
    // Gone from the table: demonitor() came first, and promised silence.
    if (receiver.extras_ == nullptr || receiver.extras_->monitors.erase(down_.monitor) == 0) return;
    Info info(type_info<Down>, down_);
    receiver.deliver_info(info);
  }
  std::string_view describe() const noexcept override { return "Down"; }
  TraceKind trace_kind() const noexcept override { return TraceKind::info; }

 private:
  Down down_;
};

class MonitorSignal final : public Signal {
 public:
  MonitorSignal(Pid watcher, MonitorId id) noexcept : watcher_(watcher), id_(id) {}
  void deliver(Process& receiver) override { receiver.extras().watchers.emplace(watcher_, id_); }
  void undelivered(Pid target, const Reason& reason) noexcept override {
    // It ended while this was under way: its own reason if the mailbox still held us, else nobody.
    Scheduler::send(watcher_, std::make_unique<DownSignal>(Down{id_, target, reason}));
  }
  std::string_view describe() const noexcept override { return "monitor signal"; }

 private:
  Pid watcher_;
  MonitorId id_;
};

class DemonitorSignal final : public Signal {
 public:
  DemonitorSignal(Pid watcher, MonitorId id) noexcept : watcher_(watcher), id_(id) {}
  void deliver(Process& receiver) override {
    if (receiver.extras_ != nullptr) receiver.extras_->watchers.erase({watcher_, id_});
  }
  std::string_view describe() const noexcept override { return "demonitor signal"; }

 private:
  Pid watcher_;
  MonitorId id_;
};

void Process::exit(Pid target, Reason reason) {
  if (reason.kind() == Reason::Kind::killed) {
    kill_by_force(target);
    return;
  }
  Scheduler::send(target, std::make_unique<ExitSignal>(pid(), std::move(reason), false));
}

void send_exit(Pid target, Reason reason) {
  if (reason.kind() == Reason::Kind::killed) {
    kill_by_force(target);
    return;
  }
  Scheduler::send(target, std::make_unique<ExitSignal>(Pid{}, std::move(reason), false));
}

bool Process::linked_to(Pid other) const noexcept {
  if (!other) return false;
  if (parent_ == other) return true;
  if (extras_ == nullptr) return false;
  const auto found = extras_->links.find(other);
  return found != extras_->links.end() && found->second == link_holds;
}

void Process::link(Pid other) {
  if (other == pid() || linked_to(other)) return;
  extras().links.insert_or_assign(other, link_holds);
  // At home there is nothing between the two ends that could be overtaken: no message needed.
  if (Process* local = find_local(other)) {
    local->extras().links.insert_or_assign(pid(), link_holds);
    return;
  }
  Scheduler::send(other, std::make_unique<LinkSignal>(pid()));
}

void Process::join_parent() {
  if (Process* parent = find_local(parent_)) {
    parent->extras().links.insert_or_assign(pid(), link_holds);
    return;
  }
  Scheduler::send(parent_, std::make_unique<LinkSignal>(pid()));
}

Process* Process::find_local(Pid other) const noexcept {
  return other.scheduler == scheduler_ ? scheduler_->find(other) : nullptr;
}

void Process::unlink(Pid other) {
  // Without a link nothing is said: the other end may be linking itself to us just now.
  if (!linked_to(other)) return;
  forget_link(other);
  if (other.scheduler == scheduler_) {
    // At once, as link() is at home: a signal still in the mailbox would undo a later link().
    if (Process* local = scheduler_->find(other)) local->forget_link(pid());
    return;
  }
  const std::uint64_t id = next_id();
  extras_->links.emplace(other, id);
  Scheduler::send(other, std::make_unique<UnlinkSignal>(pid(), id));
}

void Process::forget_link(Pid other) noexcept {
  if (parent_ == other) parent_ = {};
  if (extras_ == nullptr) return;
  const auto found = extras_->links.find(other);
  if (found != extras_->links.end() && found->second == link_holds) extras_->links.erase(found);
}

bool Process::lose_link(Pid other) noexcept {
  if (other && parent_ == other) {
    parent_ = {};
    return true;
  }
  if (extras_ == nullptr) return false;
  const auto found = extras_->links.find(other);
  if (found == extras_->links.end()) return false;
  const bool was_linked = found->second == link_holds;
  extras_->links.erase(found);  // a pending one too: who has ended has heard enough
  return was_linked;
}

std::size_t Process::link_count() const noexcept {
  std::size_t count = parent_ ? 1 : 0;
  if (extras_ != nullptr)
    for (const auto& [other, state] : extras_->links) count += state == link_holds ? 1 : 0;
  return count;
}

MonitorId Process::monitor(Pid target) {
  const MonitorId id{next_id()};
  extras_->monitors.emplace(id, target);
  if (Process* local = find_local(target)) {
    local->extras().watchers.emplace(pid(), id);
    return id;
  }
  Scheduler::send(target, std::make_unique<MonitorSignal>(pid(), id));
  return id;
}

void Process::demonitor(MonitorId monitor) {
  if (extras_ == nullptr) return;
  const auto found = extras_->monitors.find(monitor);
  if (found == extras_->monitors.end()) return;
  const Pid target = found->second;
  extras_->monitors.erase(found);
  if (target.scheduler == scheduler_) {
    Process* local = find_local(target);
    if (local != nullptr && local->extras_ != nullptr)
      local->extras_->watchers.erase({pid(), monitor});
    return;
  }
  Scheduler::send(target, std::make_unique<DemonitorSignal>(pid(), monitor));
}

void Process::receive_exit(Pid from, const Reason& reason) {
  if (trap_exit_) {
    Exit exit{from, reason};
    Info info(type_info<Exit>, exit);
    deliver_info(info);
    return;
  }
  if (reason.kind() == Reason::Kind::normal) return;
  stop(reason);
}

void Process::notify_relations(const Reason& reason) noexcept {
  const Pid self = pid();
  if (parent_) Scheduler::send(parent_, std::make_unique<ExitSignal>(self, reason, true));
  if (extras_ == nullptr) return;
  for (const auto& [link, state] : extras_->links)
    if (state == link_holds)
      Scheduler::send(link, std::make_unique<ExitSignal>(self, reason, true));
  for (const auto& [watcher, id] : extras_->watchers)
    Scheduler::send(watcher, std::make_unique<DownSignal>(Down{id, self, reason}));
  for (const auto& [id, target] : extras_->monitors)
    Scheduler::send(target, std::make_unique<DemonitorSignal>(self, id));
  extras_->links.clear();
  extras_->watchers.clear();
  extras_->monitors.clear();
}

}  // namespace hawser
