// Every child on its own: started, restarted and ended without waiting for another one.
#include <hawser/process/detail/dynamic_children.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::detail {

std::unique_ptr<ChildKeeper> make_dynamic_children(const SupervisorOptions& options) {
  return std::make_unique<DynamicChildren>(options);
}

void DynamicChildren::begin(std::vector<ChildSpec> specs) {
  if (specs.size() != 1) {
    self().stop(Reason::failed(fmt::format(
        "simple_one_for_one needs exactly one child as its template, not {}", specs.size())));
    return;
  }
  template_ = std::move(specs.front());
  if (auto error = spec_error(template_)) self().stop(Reason::failed(error->text()));
}

// ---- starting ----------------------------------------------------------------------------------

void DynamicChildren::start_child(StartChild request, From<Pid> from) {
  if (stopping_) return;  // the dropped From tells
  Attempt attempt;
  attempt.number = ++last_number_;
  attempt.start = std::move(request.spec.start);
  attempt.scheduler = request.spec.scheduler;
  attempt.from = std::move(from);
  launch(std::move(attempt));
}

void DynamicChildren::launch(Attempt attempt) {
  const std::uint64_t token = ++last_token_;
  if (!attempt.scheduler) attempt.scheduler = template_.scheduler;
  Result<Scheduler*> scheduler = place(attempt.scheduler);
  if (!scheduler) {
    start_failed(std::move(attempt), std::move(scheduler.error()));
    return;
  }
  const StartFunction& start = attempt.start ? attempt.start : template_.start;
  if (*scheduler == &self().process().scheduler()) {
    Result<Pid> result = start_here(start, **scheduler, self().pid());
    started_process(token, std::move(attempt), std::move(result));
    return;
  }
  start_elsewhere(start, **scheduler, token);
  starting_.emplace(token, std::move(attempt));
}

void DynamicChildren::start_answered(std::uint64_t token, Result<Pid> result) {
  const auto found = starting_.find(token);
  if (found == starting_.end()) return;
  Attempt attempt = std::move(found->second);
  starting_.erase(found);
  started_process(token, std::move(attempt), std::move(result));
  finish_if_empty();
}

void DynamicChildren::started_process(std::uint64_t token, Attempt attempt, Result<Pid> result) {
  if (!result) {
    if (result.error().kind == ErrorKind::cancelled) {  // declined
      attempt.from.reply(Pid{});
    } else {
      start_failed(std::move(attempt), std::move(result.error()));
    }
    return;
  }
  // Linked already, unless the start function forgot to or the child is dead: then this tells us.
  self().link(*result);
  attempt.pid = *result;
  if (!template_.supervisor || ready_at_once(*result)) {
    became_running(std::move(attempt));
    return;
  }
  if (stopping_) ask_to_end(*result);
  self().start(ask_ready(*result, token));
  starting_.emplace(token, std::move(attempt));
}

void DynamicChildren::child_ready(std::uint64_t token, Result<bool> ready) {
  const auto found = starting_.find(token);
  if (found == starting_.end()) return;
  Attempt attempt = std::move(found->second);
  starting_.erase(found);
  if (ready) {
    became_running(std::move(attempt));
  } else {
    // It is on its way out by itself; its exit will be that of a stranger.
    start_failed(std::move(attempt), std::move(ready.error()));
  }
  finish_if_empty();
}

void DynamicChildren::became_running(Attempt attempt) {
  Running running{attempt.number, std::move(attempt.restartable)};
  if (template_.restart != Restart::temporary) {
    if (running.restartable == nullptr) {
      running.restartable = std::make_unique<Restartable>();
      running.restartable->start = std::move(attempt.start);
      running.restartable->scheduler = attempt.scheduler;
    }
    running.restartable->since = self().now();
  }
  running_.emplace(attempt.pid, std::move(running));
  attempt.from.reply(attempt.pid);
  // The request to end went to all that were there; this one comes too late to have heard it.
  if (stopping_) ask_to_end(attempt.pid);
}

void DynamicChildren::start_failed(Attempt attempt, Error error) {
  if (!attempt.is_restart) {
    attempt.from.fail(std::move(error));
    return;
  }
  if (stopping_) return;
  const Self me = self();
  me.log().warning(me.process().label(), fmt::format("restart failed: {}", error.text()));
  // By way of the mailbox, so that children which fail at once cannot hold the scheduler.
  const std::uint64_t token = ++last_token_;
  retrying_.emplace(token, std::pair(attempt.number, std::move(attempt.restartable)));
  step_next(RetryDue{token, true});
}

// ---- ends and restarts -------------------------------------------------------------------------

void DynamicChildren::process_ended(Pid pid, const Reason& reason) {
  if (const auto found = ending_.find(pid); found != ending_.end()) {
    auto froms = std::move(found->second.froms);
    ending_.erase(found);
    for (auto& from : froms) from.reply(true);
    finish_if_empty();
    return;
  }
  const auto found = running_.find(pid);
  if (found == running_.end()) return;
  Running running = std::move(found->second);
  running_.erase(found);
  if (stopping_) {
    finish_if_empty();
  } else if (running.restartable != nullptr && to_be_restarted(template_.restart, reason)) {
    running.restartable->delay.lived(self().now() - running.restartable->since, backoff_);
    plan_restart(running.number, std::move(running.restartable), reason.text());
  }
}

void DynamicChildren::plan_restart(std::uint64_t number, std::unique_ptr<Restartable> restartable,
                                   std::string_view why) {
  if (!count_restart(fmt::format("number {}", number), why)) {
    shut_down(Reason::shutdown());
    return;
  }
  const Duration delay = restart_delay(restartable->delay);
  const std::uint64_t token = ++last_token_;
  retrying_.emplace(token, std::pair(number, std::move(restartable)));
  if (delay > Duration::zero()) {
    step_after(delay, RetryDue{token, false});
  } else {
    retry_due(token, false);
  }
}

void DynamicChildren::retry_due(std::uint64_t token, bool failed) {
  const auto found = retrying_.find(token);
  if (found == retrying_.end() || stopping_) return;
  auto [number, restartable] = std::move(found->second);
  retrying_.erase(found);
  if (failed) {
    plan_restart(number, std::move(restartable), "could not be started");
    return;
  }
  Attempt attempt;
  attempt.number = number;
  attempt.start = restartable->start;
  attempt.scheduler = restartable->scheduler;
  attempt.restartable = std::move(restartable);
  attempt.is_restart = true;
  launch(std::move(attempt));
}

// ---- ending ------------------------------------------------------------------------------------

void DynamicChildren::ask_to_end(Pid pid) {
  if (template_.shutdown <= Duration::zero() || out_of_time_) {
    force_end(pid);
    return;
  }
  const Self me = self();
  // As long as it takes: then only its end will tell, and the link may have been cut.
  if (template_.shutdown == Duration::max()) me.monitor(pid);
  me.exit(pid, Reason::shutdown());
}

void DynamicChildren::force_end(Pid pid) {
  const Self me = self();
  me.monitor(pid);
  me.exit(pid, Reason::killed());
}

void DynamicChildren::terminate_child(TerminateChild request, From<bool> from) {
  Pid pid = request.pid;
  if (!request.id.empty())
    for (const auto& [child, running] : running_)
      if (std::to_string(running.number) == request.id) pid = child;
  if (const auto found = ending_.find(pid); found != ending_.end()) {
    found->second.froms.push_back(std::move(from));
    return;
  }
  if (running_.erase(pid) == 0) {
    from.fail({ErrorKind::not_found, 0, "terminate_child",
               fmt::format("there is no child {}", request.id.empty() ? pid.text() : request.id)});
    return;
  }
  Ending& ending = ending_[pid];
  ending.froms.push_back(std::move(from));
  if (stopping_) return;  // it has been asked already
  if (template_.shutdown > Duration::zero() && template_.shutdown != Duration::max()) {
    ending.deadline = ++last_token_;
    step_after(template_.shutdown, EndDeadline{ending.deadline});
  }
  ask_to_end(pid);
}

void DynamicChildren::deadline_passed(std::uint64_t token) {
  if (token == shutdown_deadline_) {
    out_of_time_ = true;
    const Self me = self();
    me.log().warning(me.process().label(),
                     fmt::format("kills {} children: they did not end within their shutdown "
                                 "time-out",
                                 running_.size() + ending_.size()));
    for (const auto& [pid, running] : running_) force_end(pid);
    for (const auto& [pid, ending] : ending_) force_end(pid);
    for (const auto& [number, attempt] : starting_)
      if (attempt.pid) force_end(attempt.pid);
    return;
  }
  // Rare and few: children that were ended one by one.
  for (const auto& [pid, ending] : ending_)
    if (ending.deadline == token) force_end(pid);
}

void DynamicChildren::shut_down(const Reason& reason) {
  if (stopping_) return;
  stopping_ = reason;
  retrying_.clear();
  for (const auto& [pid, running] : running_) ask_to_end(pid);
  for (const auto& [number, attempt] : starting_)
    if (attempt.pid) ask_to_end(attempt.pid);
  if (template_.shutdown > Duration::zero() && template_.shutdown != Duration::max()) {
    shutdown_deadline_ = ++last_token_;
    step_after(template_.shutdown, EndDeadline{shutdown_deadline_});
  }
  finish_if_empty();
}

void DynamicChildren::finish_if_empty() {
  if (stopping_ && running_.empty() && ending_.empty() && starting_.empty())
    self().stop(*stopping_);
}

// ---- questions ---------------------------------------------------------------------------------

void DynamicChildren::restart_child(RestartChild, From<Pid> from) {
  from.fail({ErrorKind::unsupported, 0, "restart_child",
             "the children of simple_one_for_one have no specs of their own"});
}

void DynamicChildren::delete_child(DeleteChild, From<bool> from) {
  from.fail({ErrorKind::unsupported, 0, "delete_child",
             "the children of simple_one_for_one have no specs of their own"});
}

void DynamicChildren::await_started(From<bool> from) { from.reply(true); }

std::vector<ChildInfo> DynamicChildren::which() const {
  std::vector<ChildInfo> infos;
  infos.reserve(running_.size() + starting_.size() + retrying_.size());
  const auto add = [&](std::uint64_t number, Pid pid, ChildState state) {
    infos.push_back({std::to_string(number), pid, state, template_.restart, template_.supervisor});
  };
  for (const auto& [pid, running] : running_) add(running.number, pid, ChildState::running);
  for (const auto& [token, attempt] : starting_)
    add(attempt.number, attempt.pid, ChildState::starting);
  for (const auto& [token, retry] : retrying_) add(retry.first, Pid{}, ChildState::restarting);
  return infos;
}

ChildCounts DynamicChildren::count() const {
  ChildCounts counts;
  counts.specs = running_.size() + starting_.size() + retrying_.size();
  counts.active = running_.size();
  (template_.supervisor ? counts.supervisors : counts.workers) = counts.specs;
  return counts;
}

}  // namespace hawser::detail
