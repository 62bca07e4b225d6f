// One turn: poll the engine, fire timers, take the inbox, give runnable processes their turns.
#include <hawser/process/scheduler.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/process/detail/group_table.hpp>
#include <hawser/process/detail/process_extras.hpp>
#include <hawser/process/registry.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {
namespace {

// The one piece of ambient state: which scheduler's turn this thread is in. It makes ref.cast() a
// queue push at home and an inbox push from elsewhere without an argument saying where we are.
thread_local Scheduler* current_scheduler = nullptr;

/// Work handed in by post(): a message to the scheduler itself.
class PostedWork final : public Message {
 public:
  explicit PostedWork(std::move_only_function<void()> work) : work_(std::move(work)) {}
  void deliver(Process&) override {}
  std::string_view describe() const noexcept override { return "posted work"; }
  void run() { work_(); }

 private:
  std::move_only_function<void()> work_;
};

// Target generation of PostedWork: no process ever has it, and send() refuses it.
constexpr std::uint32_t for_scheduler = 0;

}  // namespace

std::string Pid::text() const {
  if (scheduler == nullptr) return "<none>";
  return fmt::format("<{}.{}.{}>", scheduler->number(), index, generation);
}

std::strong_ordering operator<=>(const Pid& left, const Pid& right) noexcept {
  if (left.scheduler != right.scheduler) {
    if (left.scheduler == nullptr) return std::strong_ordering::less;
    if (right.scheduler == nullptr) return std::strong_ordering::greater;
    return left.scheduler->number() <=> right.scheduler->number();
  }
  if (left.index != right.index) return left.index <=> right.index;
  return left.generation <=> right.generation;
}

Scheduler::Scheduler(System& system, unsigned number, std::unique_ptr<Engine> engine,
                     SchedulerOptions options)
    : system_(system),
      telemetry_(system.telemetry()),
      number_(number),
      options_(options),
      engine_(std::move(engine)),
      timers_(engine_->now()),
      group_table_(std::make_unique<detail::GroupTable>(*this)) {}

Scheduler::~Scheduler() {
  while (run_head_ != nullptr) {
    Process* process = std::exchange(run_head_, run_head_->next_runnable_);
    if (!process->alive()) std::unique_ptr<Process>{process};
  }
  // What never ended (its host lost power) may leave work behind as it goes.
  for (Slot& slot : slots_) slot.process.reset();
  discard_inbox();
}

bool Scheduler::discard_inbox() {
  Message* list = inbox_.take_all();
  bool any = list != nullptr;
  while (list != nullptr) {
    const std::unique_ptr<Message> message(std::exchange(list, list->next_));
    if (message->target_generation_ != for_scheduler)
      message->undelivered({this, message->target_index_, message->target_generation_},
                           Reason::shutdown());
  }
  // Processes that never came to their end, such as those of a simulated host that crashed, have
  // letters left that nobody else would open.
  for (Slot& slot : slots_) {
    if (slot.process == nullptr) continue;
    while (Message* left = slot.process->mailbox_.pop()) {
      const std::unique_ptr<Message> message(left);
      message->undelivered(slot.process->pid(), Reason::shutdown());
      any = true;
    }
  }
  return any;
}

Scheduler* Scheduler::current() noexcept { return current_scheduler; }

Log& Scheduler::log() noexcept { return system_.log(); }

// ---- the turn
// ------------------------------------------------------------------------------------------

bool Scheduler::turn() {
  Scheduler* const outer = std::exchange(current_scheduler, this);
  // Whatever is left to do has been waited for: poll for news, then work.
  const bool busy = run_head_ != nullptr || !inbox_.empty();
  engine_->poll(busy ? engine_->now() : timers_.next_due());
  timers_.advance(engine_->now());
  drain_inbox();
  run_processes();
  show_load();
  if (finished_) engine_->poll(engine_->now());  // what the last callbacks sent still leaves
  current_scheduler = outer;
  return !finished_;
}

void Scheduler::show_load() noexcept {
  load_.turns.store(++turns_, std::memory_order_relaxed);
  load_.messages.store(messages_, std::memory_order_relaxed);
  load_.run_queue.store(run_count_, std::memory_order_relaxed);
  load_.processes.store(static_cast<std::uint32_t>(live_), std::memory_order_relaxed);
  load_.traced.store(traced_, std::memory_order_relaxed);
}

void Scheduler::drain_inbox() {
  Message* list = inbox_.take_all();
  while (list != nullptr) {
    std::unique_ptr<Message> message(std::exchange(list, list->next_));
    if (message->target_generation_ == for_scheduler) {
      static_cast<PostedWork&>(*message).run();
      continue;
    }
    const Pid target{this, message->target_index_, message->target_generation_};
    if (Process* process = find(target)) {
      deliver(*process, std::move(message));
    } else {
      message->undelivered(target, Reason::no_process());
    }
  }
}

void Scheduler::run_processes() {
  std::uint32_t left =
      options_.processes_per_poll < run_count_ ? options_.processes_per_poll : run_count_;
  while (left-- > 0 && run_head_ != nullptr) {
    Process* process = run_head_;
    run_head_ = process->next_runnable_;
    process->next_runnable_ = nullptr;
    process->queued_ = false;
    --run_count_;
    if (process->alive()) {
      run_process(*process);
    } else {
      const std::unique_ptr<Process> ended(process);  // while it was queued: see remove()
    }
  }
}

void Scheduler::run_process(Process& process) {
  enter();
  process.in_callback_ = true;
  {
    const CurrentProcess current(process, "message");
    // What it sends itself meanwhile is for its next turn: others come first.
    std::uint32_t budget = std::min(options_.messages_per_turn, process.mailbox_.size());
    while (budget-- > 0) {
      std::unique_ptr<Message> message(process.mailbox_.pop());
      if (message == nullptr) break;
      if (process.suspended_ && !message->is_signal()) {
        defer(process, std::move(message));
        if (process.stop_requested_) {
          process.after_callback();
          break;
        }
        continue;
      }
      if (process.timeout_armed_ && !message->is_signal()) process.cancel_idle_timeout();
      if (process.traced_) [[unlikely]]
        process.trace(message->trace_kind(), message->describe());
      ++process.handled_;
      ++messages_;
      message_ = message.get();
      pulse_.callbacks.store(++pulse_count_, std::memory_order_relaxed);
      try {
        message->deliver(process);
      } catch (...) {
        process.crash_from_current_exception();
      }
      message_ = nullptr;
      if (process.stop_requested_ || process.extras_ != nullptr) {
        process.after_callback();
        if (!process.alive()) break;
      }
    }
  }
  process.in_callback_ = false;
  if (process.alive() && !process.mailbox_.empty()) schedule(process);
  leave();  // one that has ended is out of memory after this
}

void Scheduler::enter() noexcept {
  ++depth_;
  pulse_.callbacks.store(++pulse_count_, std::memory_order_relaxed);
}

void Scheduler::show_running() noexcept {
  if (running_ == nullptr) {
    pulse_.handler.store(nullptr, std::memory_order_relaxed);
    return;
  }
  pulse_.handler.store(&running_->handler_type(), std::memory_order_relaxed);
  pulse_.process_index.store(running_->index_, std::memory_order_relaxed);
  pulse_.callback.store(callback_, std::memory_order_relaxed);
}

void Scheduler::leave() noexcept {
  pulse_.callbacks.store(++pulse_count_, std::memory_order_relaxed);
  if (--depth_ == 0 && !ended_.empty()) bury();
}

void Scheduler::bury() noexcept {
  // Out of the list first: a destructor may end or start other processes.
  while (depth_ == 0 && !ended_.empty()) std::exchange(ended_, {});
}

void Scheduler::finish() {
  // By index, and until none is left: what a destructor starts is ended too.
  while (live_ != 0)
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].process != nullptr) slots_[i].process->kill();
  finished_ = true;
  bury();
}

// ---- messages
// -------------------------------------------------------------------------------------------

bool Scheduler::send(Pid target, std::unique_ptr<Message> message) {
  Scheduler* const scheduler = target.scheduler;
  if (scheduler == nullptr) {
    message->undelivered(target, Reason::no_process());
    return false;
  }
  Scheduler* const here = current_scheduler;
  if (here != nullptr && here->traced_ != 0) [[unlikely]]
    here->trace_out(target, *message);
  if (scheduler == here) {
    Process* process = scheduler->find(target);
    if (process == nullptr) {
      message->undelivered(target, Reason::no_process());
      return false;
    }
    return scheduler->deliver(*process, std::move(message));
  }
  if (target.generation == for_scheduler) {  // made up by hand: it names no process
    message->undelivered(target, Reason::no_process());
    return false;
  }
  message->target_index_ = target.index;
  message->target_generation_ = target.generation;
  if (scheduler->inbox_.push(message.release())) scheduler->engine_->wake();
  return true;
}

void Scheduler::trace_out(Pid target, const Message& message) {
  if (running_ == nullptr || !running_->traced_) return;
  running_->trace(TraceKind::message_out,
                  fmt::format("{} to {}", message.describe(), target.text()));
}

void Scheduler::post(std::move_only_function<void()> work) {
  auto message = std::make_unique<PostedWork>(std::move(work));
  message->target_generation_ = for_scheduler;
  if (inbox_.push(message.release())) engine_->wake();
}

bool Scheduler::deliver(Process& process, std::unique_ptr<Message> message) {
  if (process.mailbox_.size() >= process.mailbox_limit_.messages && message->is_refusable())
      [[unlikely]] {
    auto& extras = process.extras();
    if (extras.dropped++ == 0)
      log().warning(
          process.label(),
          fmt::format("mailbox limit of {} messages hit by {}; further ones are only counted",
                      process.mailbox_limit_.messages, message->describe()));
    const auto reason = Reason::overloaded(
        fmt::format("mailbox limit of {} messages", process.mailbox_limit_.messages));
    switch (process.mailbox_limit_.overflow) {
      case MailboxOverflow::reject:
        message->undelivered(process.pid(), reason);
        return false;
      case MailboxOverflow::drop_oldest:
        drop_oldest(process.mailbox_, process.pid(), reason);
        break;
      case MailboxOverflow::end:
        message->undelivered(process.pid(), reason);
        process.stop(reason);
        return false;
    }
  }
  process.mailbox_.push(message.release());
  schedule(process);
  return true;
}

void Scheduler::defer(Process& process, std::unique_ptr<Message> message) {
  auto& extras = process.extras();
  const std::uint32_t limit = process.mailbox_limit_.messages;
  if (extras.deferred.size() >= limit && message->is_refusable()) {
    // What waits for the end of a suspension is bounded as the mailbox is.
    ++extras.dropped;
    const auto reason =
        Reason::overloaded(fmt::format("mailbox limit of {} messages while suspended", limit));
    if (process.mailbox_limit_.overflow == MailboxOverflow::drop_oldest) {
      drop_oldest(extras.deferred, process.pid(), reason);
    } else {
      message->undelivered(process.pid(), reason);
      if (process.mailbox_limit_.overflow == MailboxOverflow::end) process.stop(reason);
      return;
    }
  }
  extras.deferred.push(message.release());
}

void Scheduler::drop_oldest(Mailbox& mailbox, Pid owner, const Reason& reason) {
  Mailbox kept;
  while (Message* oldest = mailbox.pop()) {
    if (!oldest->is_refusable()) {
      kept.push(oldest);
      continue;
    }
    const std::unique_ptr<Message> victim(oldest);
    victim->undelivered(owner, reason);
    break;
  }
  mailbox.prepend(kept);
}

void Scheduler::schedule(Process& process) noexcept {
  if (process.queued_) return;
  process.queued_ = true;
  process.next_runnable_ = nullptr;
  (run_head_ == nullptr ? run_head_ : run_tail_->next_runnable_) = &process;
  run_tail_ = &process;
  ++run_count_;
}

// ---- processes
// ------------------------------------------------------------------------------------------

Process* Scheduler::find(Pid pid) noexcept {
  if (pid.index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[pid.index];
  return slot.generation == pid.generation ? slot.process.get() : nullptr;
}

void Scheduler::for_each_process(const std::function<void(Process&)>& visit) {
  for (auto& slot : slots_)
    if (slot.process != nullptr) visit(*slot.process);
}

Result<Pid> Scheduler::spawn(std::unique_ptr<Process> owned, const SpawnOptions& options) {
  check(current_scheduler == this, "spawn runs on its own scheduler's thread");
  if (live_ >= options_.max_processes)
    return std::unexpected(Error{
        ErrorKind::overloaded, 0, "spawn",
        fmt::format("scheduler {} holds {} processes, its limit (max_processes)", number_, live_)});
  Process& process = *owned;
  process.scheduler_ = this;
  process.started_ = now();
  process.mailbox_limit_ = options.mailbox;
  process.trap_exit_ = options.trap_exit;
  if (first_free_ == UINT32_MAX) {
    first_free_ = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back().next_free = UINT32_MAX;
  }
  process.index_ = first_free_;
  process.generation_ = slots_[process.index_].generation;
  const Pid pid = process.pid();
  if (!options.name.empty()) {
    // The slot is taken after this: a scope of the user's may throw.
    if (auto named = register_name(process, options); !named)
      return std::unexpected(std::move(named.error()));
  }
  first_free_ = slots_[process.index_].next_free;
  slots_[process.index_].process = std::move(owned);
  ++live_;
  ++depth_;  // keeps `process` in memory while its end is looked at below
  process.parent_ = options.parent;
  process.reports_crash_ = options.report_crashes;
  if (options.trace != nullptr) process.trace_with(options.trace);
  process.run_callback("init", [&process] { process.initialise(); });
  Result<Pid> result = pid;
  if (process.alive()) {
    process.state_ = Process::State::running;
    if (process.parent_) process.join_parent();  // unless init has unlinked it
  } else {
    const Reason& why = process.stop_reason_;
    result = std::unexpected(
        Error{why.is_graceful() ? ErrorKind::cancelled : ErrorKind::failed, 0, "init",
              fmt::format("{} ended in init: {}", process.handler_type().name, why.text())});
  }
  leave();
  return result;
}

Result<void> Scheduler::register_name(Process& process, const SpawnOptions& options) {
  process.extras().name = options.name;
  if (options.scope != nullptr) process.rare().scope = options.scope;
  RegistryScope& scope = options.scope == nullptr ? system_.registry() : *options.scope;
  return scope.register_name(options.name, process.pid(), process.handler_type().name);
}

void Scheduler::remove(Process& process) noexcept {
  Slot& slot = slots_[process.index_];
  if (process.queued_) {
    // The run queue still points to it, and lets go of it when its turn comes up. (To look for it
    // there, or to sift ended_ for such ones, would cost as many steps as there are.)
    static_cast<void>(slot.process.release());
  } else {
    ended_.push_back(std::move(slot.process));
  }
  // Generation 0 would make a default Pid match; it is skipped when the counter wraps.
  if (++slot.generation == 0) slot.generation = 1;
  slot.next_free = std::exchange(first_free_, process.index_);
  --live_;
}

}  // namespace hawser
