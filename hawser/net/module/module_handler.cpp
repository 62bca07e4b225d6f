// Forwarding callbacks, and the move from one version to the next.
#include <hawser/net/module/module_handler.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace hawser {
namespace {
/// How often a connection looks whether what kept it or its former version has ended.
constexpr Duration look_interval = 100ms;
}  // namespace

template <>
void* HandlerConnection<ModuleHandler, MakeModuleHandler>::handler(const TypeInfo& type) noexcept {
  if (void* kind = this->kind_handler(type)) return kind;
  if (void* found = Base::handler(type)) return found;
  void* hosting = Base::handler(type_info<ModuleHandler>);
  return hosting == nullptr ? nullptr : static_cast<ModuleHandler*>(hosting)->state_of(type);
}

ModuleHandler::ModuleHandler(ModuleHold& hold)
    : hold_(hold), connection_(connection()), state_(nullptr, nullptr) {
  hold_.current = hold_.host->current();
  code_ = &hold_.current->code();
  state_ = code().make();
  hold_.host->roster(connection_.scheduler().number()).add(*this);
}

ModuleHandler::~ModuleHandler() {
  hold_.host->roster(connection_.scheduler().number()).remove(*this);
  if (may_have_tasks_) {
    // A task that was cut off may have asked somebody something, and the answer is an object of
    // this version's code in somebody else's hands.
    hold_.current->pin();
  }
}

// ---- callbacks
// -----------------------------------------------------------------------------------------

Next ModuleHandler::init() {
  if (code().init == nullptr) return keep();
  Next next = code().init(state_.get());
  if (next.stops()) may_have_tasks_ = connection_.task_count() > 0;
  return next;
}

Next ModuleHandler::handle_packet(Packet packet) {
  if (pending_) [[unlikely]]
    try_pending();
  return code().handle_packet(state_.get(), packet);
}

Next ModuleHandler::handle_info(Info& info) {
  if (pending_) try_pending();
  if (code().handle_info != nullptr) return code().handle_info(state_.get(), info);
  connection_.count_unexpected(info.type_name());
  return keep();
}

Next ModuleHandler::timeout() {
  if (code().timeout != nullptr) return code().timeout(state_.get());
  return stop(Reason::timeout("nothing came, and the handler has no timeout()"));
}

Next ModuleHandler::handle_disconnect(const Reason& reason) {
  if (code().handle_disconnect != nullptr) return code().handle_disconnect(state_.get(), reason);
  return keep();
}

Next ModuleHandler::handle_end() {
  if (code().handle_end != nullptr) return code().handle_end(state_.get());
  // As for any handler without it: the end of the peer's bytes is the end.
  return handle_disconnect(Reason::closed()).then_stop(Reason::closed());
}

Next ModuleHandler::handle_drained() {
  if (code().handle_drained != nullptr) return code().handle_drained(state_.get());
  return keep();
}

Next ModuleHandler::handle_upgrade() {
  if (code().handle_upgrade != nullptr) return code().handle_upgrade(state_.get());
  return keep();
}

Next ModuleHandler::handle_passive() {
  if (code().handle_passive != nullptr) return code().handle_passive(state_.get());
  return keep();
}

Next ModuleHandler::handle_packet_timeout(BytesView partial) {
  if (code().handle_packet_timeout != nullptr)
    return code().handle_packet_timeout(state_.get(), partial);
  return stop(Reason::timeout("packet_timeout: a packet was not finished in time"));
}

Next ModuleHandler::handle_shutdown(const Reason& reason) {
  if (code().handle_shutdown != nullptr) return code().handle_shutdown(state_.get(), reason);
  return stop(reason);
}

Reason ModuleHandler::terminate(const Reason& reason) {
  may_have_tasks_ = connection_.task_count() > 0;
  return code().terminate == nullptr ? reason : code().terminate(state_.get(), reason);
}

std::string ModuleHandler::describe() const {
  std::string text =
      fmt::format("{}; {}", hold_.current->text(), connection_.Connection::describe_state());
  if (code().describe != nullptr) text += "; " + code().describe(state_.get());
  return text;
}

void* ModuleHandler::state_of(const TypeInfo& type) noexcept {
  return &type == code().type ? state_.get() : nullptr;
}

// ---- the move
// ------------------------------------------------------------------------------------------

/// A signal to the process itself: it neither ends the handler's time-out nor waits for the end of
/// a suspension.
class ModuleHandler::LookAgain final : public Message {
 public:
  void deliver(Process& receiver) override {
    auto* handler = static_cast<ModuleHandler*>(receiver.handler(type_info<ModuleHandler>));
    if (handler == nullptr) return;
    receiver.enter_callback("code_change");
    handler->look_again();
  }
  std::string_view describe() const noexcept override { return "code change, once more"; }
  bool is_signal() const noexcept override { return true; }
};

void ModuleHandler::change_code(CodeChange change) {
  if (pending_) pending_->change.kept("a newer version came first");
  pending_.reset();
  if (change.to() == hold_.current) {
    change.drop();
    return;
  }
  if (connection_.task_count() == 0) {
    move(std::move(change));
    return;
  }
  // A task is a callback that has not come to its end: its frame points to this version's state.
  const Instant until = connection_.scheduler().now() + hold_.host->options().task_limit;
  pending_ = std::make_unique<Pending>(Pending{std::move(change), until});
  look_again_later();
}

void ModuleHandler::try_pending() {
  if (connection_.task_count() > 0) return;
  auto pending = std::move(*pending_);
  pending_.reset();
  move(std::move(pending.change));
}

void ModuleHandler::move(CodeChange change) {
  const ModuleUse was = hold_.current;
  auto state = migrate(change.to());
  if (state) {
    swap(change.to(), std::move(*state));
    change.moved();
    return;
  }
  auto& log = connection_.scheduler().log();
  if (log.enabled(LogLevel::debug))
    log.debug(connection_.label(), fmt::format("keeps {}: {}", was->text(), state.error().text()));
  change.kept(state.error().text());
}

Result<HandlerState> ModuleHandler::migrate(const ModuleUse& to) {
  const auto failed = [&](std::string_view where, std::string why) {
    return std::unexpected(Error{ErrorKind::failed, 0, std::string(where), std::move(why)});
  };
  const unsigned from = version();
  const HandlerModule& next = to->code();
  const char* where = "code_change";
  // The one place where an exception is no crash: the version that threw is not the one that runs.
  try {
    if (next.code_change_anew != nullptr) return next.code_change_anew(from);
    if (next.code_change == nullptr)
      return failed(where, fmt::format("version {} has none", to->version()));
    if (code().export_state == nullptr)
      return failed(where, fmt::format("version {} has no export_state to hand over", from));
    where = "export_state";
    const Bytes state = code().export_state(state_.get());
    where = "code_change";
    return next.code_change(from, state);
  } catch (const std::exception& thrown) {
    return failed(where, thrown.what());
  } catch (...) {
    return failed(where, "an exception that is no std::exception");
  }
}

void ModuleHandler::swap(const ModuleUse& to, HandlerState state) {
  state_ = std::move(state);
  ModuleUse was = std::exchange(hold_.current, to);
  code_ = &to->code();
  if (!connection_.oldest_timer()) return;
  // Its timers hold messages of its code.
  hold_.former.push_back({std::move(was), connection_.next_id()});
  look_again_later();
}

void ModuleHandler::look_again() {
  looking_ = false;
  const auto oldest = connection_.oldest_timer();
  std::erase_if(hold_.former, [&](const ModuleHold::Former& each) {
    return !oldest || static_cast<std::uint64_t>(*oldest) > each.before;
  });
  if (pending_) {
    try_pending();
    if (pending_ && connection_.scheduler().now() >= pending_->until) {
      pending_->change.kept("its tasks were still running at the end of task_limit");
      pending_.reset();
    }
  }
  if (pending_ || !hold_.former.empty()) look_again_later();
}

void ModuleHandler::look_again_later() {
  if (std::exchange(looking_, true)) return;
  connection_.send_after(look_interval, std::make_unique<LookAgain>());
}

}  // namespace hawser
