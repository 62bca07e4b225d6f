// One change at a time: starting in order, ending in the reverse order, restarting by strategy.
#include <hawser/process/detail/ordered_children.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <iterator>

namespace hawser::detail {

std::unique_ptr<ChildKeeper> make_ordered_children(const SupervisorOptions& options) {
  return std::make_unique<OrderedChildren>(options);
}

// ---- the work and what wakes it ----------------------------------------------------------------

void OrderedChildren::ChangeAwaiter::await_suspend(std::coroutine_handle<> coroutine) {
  waiter_.enlist(self().process(), coroutine);
  owner_.waiting_ = &waiter_;
}

void OrderedChildren::notify() {
  if (waiting_ != nullptr) std::exchange(waiting_, nullptr)->resume();
}

void OrderedChildren::enqueue(std::move_only_function<Task<>()> step) {
  if (stopping_) return;  // a dropped From tells its caller that the supervisor ended
  steps_.push_back(std::move(step));
  notify();
}

void OrderedChildren::begin(std::vector<ChildSpec> specs) {
  for (ChildSpec& spec : specs) {
    std::optional<Error> error = spec_error(spec);
    if (!error && find(spec.id) != nullptr)
      error = Error{ErrorKind::already_exists, 0, "child",
                    fmt::format("two children have the id \"{}\"", spec.id)};
    if (error) {
      self().stop(Reason::failed(error->text()));
      return;
    }
    add(std::move(spec));
  }
  self().start(run());
}

Task<> OrderedChildren::run() {
  Child* child = children_.empty() ? nullptr : &children_.front();
  Result<void> begun = co_await start_from(child);
  if (begun && !stopping_) {
    started_ = true;
    for (auto& from : std::exchange(awaiting_started_, {})) from.reply(true);
  }
  Error why = begun ? Error{} : std::move(begun.error());
  while (started_ && !stopping_) {
    if (steps_.empty()) {
      co_await changed();
      continue;
    }
    auto step = std::move(steps_.front());
    steps_.pop_front();
    Task<> work = step();
    co_await work;
  }
  const bool failed = !stopping_;
  stopping_ = stopping_.value_or(Reason::failed(why.text()));
  steps_.clear();
  co_await end_after(nullptr, nullptr);
  if (failed)
    for (auto& from : std::exchange(awaiting_started_, {})) from.fail(why);
  self().stop(*stopping_);
}

// ---- starting ----------------------------------------------------------------------------------

Task<Result<void>> OrderedChildren::start_one(Child& child) {
  child.retry = 0;
  awaited_ = ++last_token_;
  Result<Scheduler*> scheduler = place(child.spec.scheduler);
  if (!scheduler) co_return std::unexpected(std::move(scheduler.error()));
  Result<Pid> result;
  if (*scheduler == &self().process().scheduler()) {
    result = start_here(child.spec.start, **scheduler, self().pid());
  } else {
    // It cannot be called back: whatever comes meanwhile, its answer is waited for.
    child.starting = true;
    answer_.reset();
    start_elsewhere(child.spec.start, **scheduler, awaited_);
    while (!answer_) co_await changed();
    child.starting = false;
    result = std::move(*answer_);
  }
  if (!result) {
    if (result.error().kind == ErrorKind::cancelled) co_return Result<void>{};  // declined
    Error error = std::move(result.error());
    error.detail = fmt::format("child \"{}\": {}", child.spec.id, error.detail);
    co_return std::unexpected(std::move(error));
  }
  child.pid = *result;
  child.since = self().now();
  by_pid_[child.pid] = &child;
  // Linked already, unless the start function forgot to or the child is dead: then this tells us.
  self().link(child.pid);
  if (child.spec.supervisor && !ready_at_once(child.pid)) {
    Result<void> ready = co_await wait_until_ready(child);
    co_return ready;
  }
  co_return Result<void>{};
}

Task<Result<void>> OrderedChildren::wait_until_ready(Child& child) {
  child.starting = true;
  ready_.reset();
  self().start(ask_ready(child.pid, awaited_));
  // To shut down, its start is cut short: it ends what it has started so far.
  while (!ready_ && !stopping_) co_await changed();
  child.starting = false;
  if (ready_ && ready_->has_value()) co_return Result<void>{};
  Error error{ErrorKind::closed, 0, "start",
              fmt::format("child \"{}\": the supervisor is ending", child.spec.id)};
  if (ready_) {
    error = ready_->error();
    error.detail = fmt::format("child \"{}\": {}", child.spec.id,
                               child.ended ? child.ended->text() : error.detail);
  }
  // One that failed to start is on its way out by itself; asking once more does no harm.
  co_await end_one(child);
  co_return std::unexpected(std::move(error));
}

Task<Result<void>> OrderedChildren::start_from(Child*& child) {
  auto next = children_.begin();
  while (next != children_.end() && &*next != child) ++next;
  while (next != children_.end()) {
    const auto at = next++;
    if (at->pid) continue;
    if (stopping_)
      co_return std::unexpected(Error{ErrorKind::closed, 0, "start", "the supervisor is ending"});
    child = &*at;
    Result<void> result = co_await start_one(*at);
    if (!result) co_return result;
    if (!at->pid && at->spec.restart == Restart::temporary) remove(*at);  // declined
  }
  co_return Result<void>{};
}

// ---- ending ------------------------------------------------------------------------------------

Task<> OrderedChildren::end_one(Child& child) {
  child.retry = 0;
  if (!child.pid) co_return;
  if (!child.ended) {
    const Self me = self();
    const Pid pid = child.pid;
    // Besides the link, which the child may have cut.
    const MonitorId monitor = me.monitor(pid);
    if (child.spec.shutdown > Duration::zero()) {
      me.exit(pid, Reason::shutdown());
      std::optional<Process::TimerId> timer;
      deadline_passed_ = false;
      if (child.spec.shutdown != Duration::max()) {
        awaited_ = ++last_token_;
        timer = step_after(child.spec.shutdown, EndDeadline{awaited_});
      }
      while (!child.ended && !deadline_passed_) co_await changed();
      if (timer) me.cancel_timer(*timer);
      if (!child.ended)
        me.log().warning(me.process().label(),
                         fmt::format("kills child \"{}\" {}: it did not end within its shutdown "
                                     "time-out",
                                     child.spec.id, pid.text()));
    }
    if (!child.ended) me.exit(pid, Reason::killed());
    while (!child.ended) co_await changed();
    me.demonitor(monitor);
  }
  forget_process(child);
}

Task<> OrderedChildren::end_after(const Child* first, const Child* except) {
  ending_ = Ending{first, except};
  auto at = children_.end();
  while (at != children_.begin()) {
    --at;
    Child& child = *at;
    if (&child == first) break;
    if (&child == except) continue;
    co_await end_one(child);
    if (child.spec.restart == Restart::temporary) {
      ++at;
      remove(child);
    }
  }
  ending_.reset();
}

bool OrderedChildren::ends(Pid child) const noexcept {
  if (stopping_) return true;
  if (!ending_) return false;
  for (auto at = children_.rbegin(); at != children_.rend() && &*at != ending_->first; ++at)
    if (&*at != ending_->except && at->pid == child) return true;
  return false;
}

// ---- restarting --------------------------------------------------------------------------------

Task<> OrderedChildren::deal_with_end(Pid pid) {
  Child* child = find(pid);
  if (child == nullptr || !child->ended) co_return;  // dealt with on the way
  const Reason reason = *child->ended;
  forget_process(*child);
  child->delay.lived(self().now() - child->since, backoff_);
  if (!to_be_restarted(child->spec.restart, reason)) {
    if (child->spec.restart == Restart::temporary) remove(*child);
    co_return;
  }
  std::string why = reason.text();
  co_await plan_restart(*child, std::move(why));
}

Task<> OrderedChildren::plan_restart(Child& child, std::string why) {
  if (!count_restart(fmt::format("\"{}\"", child.spec.id), why)) {
    stopping_ = Reason::shutdown();
    co_return;
  }
  const std::uint64_t token = ++last_token_;
  child.retry = token;
  // Those that depend on it do not run without it, however long its back-off is.
  if (strategy_ == Strategy::one_for_all) co_await end_after(nullptr, &child);
  if (strategy_ == Strategy::rest_for_one) co_await end_after(&child, &child);
  const Duration delay = restart_delay(child.delay);
  if (delay > Duration::zero()) {
    step_after(delay, RetryDue{token, false});
    co_return;
  }
  if (!stopping_) co_await attempt_restart(child);
}

Task<> OrderedChildren::attempt_restart(Child& child) {
  Result<void> result;
  Child* failed = &child;
  if (strategy_ == Strategy::one_for_one) {
    result = co_await start_one(child);
  } else {
    if (strategy_ == Strategy::one_for_all) failed = &children_.front();
    child.retry = 0;
    result = co_await start_from(failed);
  }
  if (result || stopping_) co_return;
  const Self me = self();
  me.log().warning(me.process().label(), fmt::format("restart failed: {}", result.error().text()));
  // By way of the mailbox, so that children which fail at once cannot hold the scheduler.
  failed->retry = ++last_token_;
  step_next(RetryDue{failed->retry, true});
}

Task<> OrderedChildren::deal_with_retry(std::uint64_t token, bool failed) {
  Child* child = nullptr;
  for (Child& each : children_)
    if (each.retry == token) child = &each;
  if (child == nullptr) co_return;  // ended, started or deleted by hand meanwhile
  if (failed) {
    co_await plan_restart(*child, "could not be started");
  } else {
    if (strategy_ == Strategy::one_for_all) co_await end_after(nullptr, child);
    if (strategy_ == Strategy::rest_for_one) co_await end_after(child, child);
    if (!stopping_) co_await attempt_restart(*child);
  }
}

// ---- calls -------------------------------------------------------------------------------------

Task<> OrderedChildren::do_start_child(ChildSpec spec, From<Pid> from) {
  if (auto error = spec_error(spec)) {
    from.fail(std::move(*error));
    co_return;
  }
  if (Child* there = find(spec.id)) {
    if (there->retry != 0) {
      from.fail({ErrorKind::refused, 0, "start_child",
                 fmt::format("child \"{}\" is restarting", spec.id)});
    } else if (there->pid) {
      from.fail(running_error("start_child", spec.id, there->pid));
    } else {
      from.fail({ErrorKind::already_exists, 0, "start_child",
                 fmt::format("child \"{}\" is there already, stopped: restart_child starts it",
                             spec.id)});
    }
    co_return;
  }
  Child& child = add(std::move(spec));
  Result<void> result = co_await start_one(child);
  if (!result) {
    remove(child);
    from.fail(std::move(result.error()));
    co_return;
  }
  from.reply(child.pid);
  if (!child.pid && child.spec.restart == Restart::temporary) remove(child);
}

Task<> OrderedChildren::do_terminate_child(TerminateChild request, From<bool> from) {
  Child* child = request.id.empty() ? find(request.pid) : find(request.id);
  if (child == nullptr) {
    from.fail({ErrorKind::not_found, 0, "terminate_child",
               fmt::format("there is no child \"{}\"",
                           request.id.empty() ? request.pid.text() : request.id)});
    co_return;
  }
  co_await end_one(*child);
  if (child->spec.restart == Restart::temporary) remove(*child);
  from.reply(true);
}

Task<> OrderedChildren::do_restart_child(std::string id, From<Pid> from) {
  Child* child = find(id);
  if (child == nullptr) {
    from.fail(
        {ErrorKind::not_found, 0, "restart_child", fmt::format("there is no child \"{}\"", id)});
    co_return;
  }
  if (child->retry != 0) {
    from.fail(
        {ErrorKind::refused, 0, "restart_child", fmt::format("child \"{}\" is restarting", id)});
    co_return;
  }
  if (child->pid) {
    from.fail(running_error("restart_child", id, child->pid));
    co_return;
  }
  Result<void> result = co_await start_one(*child);
  if (result) {
    from.reply(child->pid);
  } else {
    from.fail(std::move(result.error()));
  }
}

Task<> OrderedChildren::do_delete_child(std::string id, From<bool> from) {
  Child* child = find(id);
  if (child == nullptr) {
    from.fail(
        {ErrorKind::not_found, 0, "delete_child", fmt::format("there is no child \"{}\"", id)});
  } else if (child->retry != 0) {
    from.fail(
        {ErrorKind::refused, 0, "delete_child", fmt::format("child \"{}\" is restarting", id)});
  } else if (child->pid) {
    from.fail(running_error("delete_child", id, child->pid));
  } else {
    remove(*child);
    from.reply(true);
  }
  co_return;
}

void OrderedChildren::start_child(StartChild request, From<Pid> from) {
  enqueue([this, spec = std::move(request.spec), from = std::move(from)]() mutable {
    return do_start_child(std::move(spec), std::move(from));
  });
}

void OrderedChildren::terminate_child(TerminateChild request, From<bool> from) {
  enqueue([this, request = std::move(request), from = std::move(from)]() mutable {
    return do_terminate_child(std::move(request), std::move(from));
  });
}

void OrderedChildren::restart_child(RestartChild request, From<Pid> from) {
  enqueue([this, id = std::move(request.id), from = std::move(from)]() mutable {
    return do_restart_child(std::move(id), std::move(from));
  });
}

void OrderedChildren::delete_child(DeleteChild request, From<bool> from) {
  enqueue([this, id = std::move(request.id), from = std::move(from)]() mutable {
    return do_delete_child(std::move(id), std::move(from));
  });
}

void OrderedChildren::await_started(From<bool> from) {
  if (started_) {
    from.reply(true);
  } else {
    awaiting_started_.push_back(std::move(from));
  }
}

std::vector<ChildInfo> OrderedChildren::which() const {
  std::vector<ChildInfo> infos;
  infos.reserve(children_.size());
  for (const Child& child : children_) {
    const ChildState state = child.starting     ? ChildState::starting
                             : child.retry != 0 ? ChildState::restarting
                             : child.pid        ? ChildState::running
                                                : ChildState::stopped;
    infos.push_back({child.spec.id, child.pid, state, child.spec.restart, child.spec.supervisor});
  }
  return infos;
}

ChildCounts OrderedChildren::count() const {
  ChildCounts counts;
  counts.specs = children_.size();
  for (const Child& child : children_) {
    ++(child.spec.supervisor ? counts.supervisors : counts.workers);
    if (child.pid && !child.starting) ++counts.active;
  }
  return counts;
}

// ---- what comes from outside -------------------------------------------------------------------

void OrderedChildren::process_ended(Pid pid, const Reason& reason) {
  Child* child = find(pid);
  if (child == nullptr || child->ended) return;
  child->ended = reason;
  // Queued behind the work under way; if that deals with it first, this step finds nothing to do.
  steps_.push_back([this, pid] { return deal_with_end(pid); });
  notify();
}

void OrderedChildren::start_answered(std::uint64_t attempt, Result<Pid> result) {
  check(attempt == awaited_, "one start is under way at a time");
  answer_ = std::move(result);
  notify();
}

void OrderedChildren::child_ready(std::uint64_t attempt, Result<bool> ready) {
  if (attempt != awaited_) return;  // its start was cut short
  ready_ = std::move(ready);
  notify();
}

void OrderedChildren::deadline_passed(std::uint64_t token) {
  if (token != awaited_) return;
  deadline_passed_ = true;
  notify();
}

void OrderedChildren::retry_due(std::uint64_t token, bool failed) {
  enqueue([this, token, failed] { return deal_with_retry(token, failed); });
}

void OrderedChildren::shut_down(const Reason& reason) {
  if (stopping_) return;
  stopping_ = reason;
  notify();
}

// ---- the table ---------------------------------------------------------------------------------

OrderedChildren::Child& OrderedChildren::add(ChildSpec spec) {
  if (spec.id.empty()) {
    do {
      spec.id = fmt::format("#{}", ++unnamed_);
    } while (find(spec.id) != nullptr);
  }
  const auto at = children_.emplace(children_.end(), std::move(spec));
  by_id_.emplace(at->spec.id, at);
  return *at;
}

void OrderedChildren::remove(Child& child) {
  forget_process(child);
  const auto found = by_id_.find(child.spec.id);
  const auto at = found->second;
  by_id_.erase(found);  // before the string it looks at
  children_.erase(at);
}

void OrderedChildren::forget_process(Child& child) {
  if (child.pid) by_pid_.erase(child.pid);
  child.pid = {};
  child.ended.reset();
}

OrderedChildren::Child* OrderedChildren::find(std::string_view id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

OrderedChildren::Child* OrderedChildren::find(Pid pid) {
  const auto found = by_pid_.find(pid);
  return found == by_pid_.end() ? nullptr : found->second;
}

}  // namespace hawser::detail
