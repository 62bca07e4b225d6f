// The supervisor as a handler: hands everything to the keeper of its kind of children.
#include <hawser/process/supervisor.hpp>

#include <hawser/process/detail/child_keeper.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

namespace hawser {
namespace {
std::unique_ptr<detail::ChildKeeper> make_keeper(const SupervisorOptions& options) {
  return options.strategy == Strategy::simple_one_for_one ? detail::make_dynamic_children(options)
                                                          : detail::make_ordered_children(options);
}
}  // namespace

Supervisor::Supervisor(SupervisorOptions options)
    : children_(make_keeper(options)), specs_(std::move(options.children)) {}

Supervisor::~Supervisor() = default;

void Supervisor::init() {
  const Self me = self();
  me.trap_exit();
  parent_ = me.parent();
  children_->begin(std::move(specs_));
}

void Supervisor::handle_call(StartChild request, From<Pid> from) {
  children_->start_child(std::move(request), std::move(from));
}
void Supervisor::handle_call(TerminateChild request, From<bool> from) {
  children_->terminate_child(std::move(request), std::move(from));
}
void Supervisor::handle_call(RestartChild request, From<Pid> from) {
  children_->restart_child(std::move(request), std::move(from));
}
void Supervisor::handle_call(DeleteChild request, From<bool> from) {
  children_->delete_child(std::move(request), std::move(from));
}
void Supervisor::handle_call(AwaitStarted, From<bool> from) {
  children_->await_started(std::move(from));
}
std::vector<ChildInfo> Supervisor::handle_call(WhichChildren) const { return children_->which(); }
ChildCounts Supervisor::handle_call(CountChildren) const { return children_->count(); }

void Supervisor::handle_info(Info& info) {
  if (const auto* exit = info.get<Exit>()) {
    // Its parent ended normal: a supervisor without anybody above it has no business to go on.
    if (parent_ && exit->from == parent_) {
      children_->shut_down(exit->reason);
    } else {
      children_->process_ended(exit->from, exit->reason);
    }
  } else if (const auto* down = info.get<Down>()) {
    children_->process_ended(down->from, down->reason);
  } else if (auto* answer = info.get<detail::StartAnswer>()) {
    children_->start_answered(answer->attempt, std::move(answer->result));
  } else if (const auto* deadline = info.get<detail::EndDeadline>()) {
    children_->deadline_passed(deadline->token);
  } else if (const auto* retry = info.get<detail::RetryDue>()) {
    children_->retry_due(retry->token, retry->failed);
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

void Supervisor::handle_shutdown(const Reason& reason) { children_->shut_down(reason); }

std::string Supervisor::describe() const {
  const ChildCounts counts = children_->count();
  return fmt::format("{} of {} children active, {} of them supervisors{}", counts.active,
                     counts.specs, counts.supervisors, started() ? "" : ", starting");
}

bool Supervisor::started() const noexcept { return children_->started(); }
bool Supervisor::ends(Pid child) const noexcept { return children_->ends(child); }

ChildSpec supervisor(std::string id, SupervisorOptions options) {
  ChildSpec spec = worker<Supervisor>(std::move(id), std::move(options));
  spec.shutdown = Duration::max();
  spec.supervisor = true;
  return spec;
}

}  // namespace hawser
