// One successor at a time through five steps.
#include <hawser/net/listener_handover.hpp>

#include <hawser/base/faults.hpp>
#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <span>
#include <utility>

namespace hawser {

namespace {

constexpr std::string_view log_name = "handover";
constexpr std::size_t request_maximum = 64;
constexpr std::size_t name_maximum = 900;
constexpr Duration goodbye = 1s;
constexpr Duration accept_pause = 100ms;

struct RetryAccept {};

/// Pauses the listener and takes it out of its engine as soon as the kernel has let go, so that who
/// was accepted meanwhile is still served; then closes our handle of it.
void let_go_of(Scheduler& scheduler, SocketId id, std::move_only_function<void()> done) {
  scheduler.engine().pause_accepting(id);
  auto released = scheduler.engine().release(id);
  const bool gone = released || released.error().kind == ErrorKind::not_found;
  if (gone) {
    done();
    return;
  }
  scheduler.post([&scheduler, id, done = std::move(done)]() mutable {
    let_go_of(scheduler, id, std::move(done));
  });
}

}  // namespace

std::vector<std::string> HandoverOptions::faults() const {
  std::vector<std::string> faults;
  if (auto address = Address::parse("unix:" + path); !address) {
    faults.push_back(fmt::format("path: {}", address.error().detail));
  }
  if (sockets == nullptr) faults.emplace_back("sockets: names no exchange");
  if (confirm_limit <= Duration::zero()) {
    faults.emplace_back("confirm_limit: must be longer than zero");
  }
  return faults;
}

ChildSpec listener_handover(std::string name, HandoverOptions options) {
  ChildSpec spec;
  spec.id = name;
  spec.restart = Restart::transient;
  spec.start = [name = std::move(name),
                options = std::move(options)](const StartContext& context) -> Result<Pid> {
    if (const auto faults = options.faults(); !faults.empty()) {
      return std::unexpected(faulty(fmt::format("'{}'", name), faults));
    }
    SpawnOptions how;
    how.name = name;
    how.parent = context.parent;
    auto spawned = spawn<ListenerHandover>(context.scheduler, std::move(how), options);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

ListenerHandover::ListenerHandover(HandoverOptions options) noexcept
    : options_(std::move(options)) {}

ListenerHandover::~ListenerHandover() {
  if (process_ == nullptr) return;
  Engine& engine = process_->scheduler().engine();
  engine.close_now(successor_);
  engine.close_now(listener_);
}

Next ListenerHandover::init() {
  process_ = &self().process();
  ListenOptions listen;
  listen.unix_mode = 0600;
  auto listening =
      process_->scheduler().engine().listen(Address::unix_path(options_.path), listen, *this);
  if (!listening) return stop(Reason::failed(listening.error().text()));
  listener_ = listening->id;
  return keep();
}

std::string ListenerHandover::describe() const {
  static constexpr std::string_view steps[] = {"waits for a successor", "a successor has connected",
                                               "gathers the sockets", "waits for the successor",
                                               "lets the sockets go"};
  return fmt::format("{}: {}", options_.path, steps[static_cast<std::size_t>(step_)]);
}

// ---- a successor comes
// ---------------------------------------------------------------------------

void ListenerHandover::on_accepted(NativeSocket socket) {
  process_->run_callback("accept", [&] {
    Engine& engine = process_->scheduler().engine();
    const auto id = engine.adopt(std::move(socket), *this);
    if (!id) return;
    const auto who = engine.peer_credentials(*id);
    const std::uint32_t user = effective_user();
    if (!who || (who->uid != user && who->uid != 0)) {
      turn_away(*id, "only programs of the same user may take over");
    } else if (step_ != Step::idle) {
      turn_away(*id, "another program is taking over");
    } else {
      ++round_;
      successor_ = *id;
      successor_name_ = fmt::format("pid {}", who->pid);
      step_ = Step::asked;
      self().send_after(options_.confirm_limit, TooLate{round_});
      engine.resume_receiving(successor_);
    }
  });
}

void ListenerHandover::on_accept_failed(const Error& error, bool paused) {
  process_->run_callback("accept", [&] {
    self().log().warning(log_name, error.text());
    if (paused) self().send_after(accept_pause, RetryAccept{});
  });
}

void ListenerHandover::turn_away(SocketId id, const std::string& why) {
  Engine& engine = process_->scheduler().engine();
  self().log().warning(log_name, why);
  if (SendQueue* queue = engine.outgoing(id)) queue->append(fmt::format("REFUSED {}\n", why));
  engine.close(id, CloseMode::graceful, self().now() + goodbye);
}

void ListenerHandover::give_up(std::string_view why) {
  self().log().warning(log_name, fmt::format("{} did not take over: {}", successor_name_, why));
  process_->scheduler().engine().close_now(std::exchange(successor_, {}));
  unread_.clear();
  shared_.clear();
  offers_.clear();
  step_ = Step::idle;
}

void ListenerHandover::on_received(BytesView bytes) {
  process_->run_callback("received", [&] {
    unread_ += bytes;
    while (successor_) {
      const std::size_t end = unread_.find('\n');
      if (end == std::string::npos) break;
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      take_line(line);
    }
    if (unread_.size() > request_maximum) give_up("it says too much");
  });
}

void ListenerHandover::on_end_of_stream() {
  process_->run_callback("end", [&] {
    // Once it has said TAKEN there is no way back, whether it waits for our answer or not.
    if (step_ != Step::letting_go) give_up("it closed");
  });
}

void ListenerHandover::on_failed(const Error& error) {
  process_->run_callback("failed", [&] {
    if (step_ != Step::letting_go) give_up(error.text());
  });
}

void ListenerHandover::take_line(std::string_view line) {
  if (step_ == Step::asked && line == "HANDOVER 1") {
    gather();
  } else if (step_ == Step::offered && line == "TAKEN") {
    let_go();
  } else if (step_ == Step::asked && line.starts_with("HANDOVER ")) {
    turn_away(std::exchange(successor_, {}), "only version 1 of the hand-over is spoken here");
    give_up("it speaks another version");
  } else {
    give_up("it does not keep to the protocol");
  }
}

// ---- it gets the sockets
// -------------------------------------------------------------------------

void ListenerHandover::gather() {
  step_ = Step::gathering;
  offers_ = options_.sockets->offers();
  shared_ = std::vector<NativeSocket>(offers_.size());
  waiting_for_ = offers_.size();
  for (std::size_t place = 0; place < offers_.size(); ++place) {
    Scheduler& scheduler = *offers_[place].scheduler;
    scheduler.post(
        [&scheduler, id = offers_[place].socket, to = process_->pid(), round = round_, place] {
          send_info(to, Shared{round, place, scheduler.engine().share_listener(id)});
        });
  }
  if (waiting_for_ == 0) hand_out();
}

void ListenerHandover::hand_out() {
  Engine& engine = process_->scheduler().engine();
  std::size_t count = 0;
  for (std::size_t place = 0; place < offers_.size(); ++place) {
    if (!shared_[place]) continue;  // its listener has closed it
    const std::string& name = offers_[place].server;
    if (name.size() > name_maximum || name.find('\n') != std::string::npos) {
      give_up(fmt::format("server '{}' has a name that cannot be sent", name));
      return;
    }
    const auto sent = engine.send_sockets(
        successor_,
        fmt::format("SOCKET {} {}\n", offers_[place].leave_at_close ? "leave" : "own", name),
        std::span(shared_).subspan(place, 1));
    if (!sent) {
      give_up(sent.error().text());
      return;
    }
    ++count;
  }
  shared_.clear();
  if (const auto sent = engine.send_sockets(successor_, fmt::format("END {}\n", count), {});
      !sent) {
    give_up(sent.error().text());
    return;
  }
  step_ = Step::offered;
  self().log().info(log_name,
                    fmt::format("{} was given {} listening sockets", successor_name_, count));
}

// ---- it accepts
// ----------------------------------------------------------------------------------

void ListenerHandover::let_go() {
  step_ = Step::letting_go;
  waiting_for_ = offers_.size();
  for (const SocketExchange::Offer& offer : offers_) {
    offer.scheduler->post([scheduler = offer.scheduler, id = offer.socket, to = process_->pid()] {
      let_go_of(*scheduler, id, [to] { send_info(to, LetGo{}); });
    });
  }
  if (waiting_for_ == 0) finish();
}

void ListenerHandover::finish() {
  Engine& engine = process_->scheduler().engine();
  // The successor may want to serve the path itself as soon as it has the answer.
  engine.close_now(std::exchange(listener_, {}));
  if (SendQueue* queue = engine.outgoing(successor_)) queue->append("STOPPED\n");
  engine.close(std::exchange(successor_, {}), CloseMode::graceful, self().now() + goodbye);
  self().log().info(log_name, fmt::format("{} has taken over", successor_name_));
  if (options_.on_taken_over) {
    options_.on_taken_over();
  } else {
    self().system().request_stop();
  }
  self().stop();
}

void ListenerHandover::handle_info(Info& info) {
  if (auto* shared = info.get<Shared>()) {
    if (shared->round != round_ || step_ != Step::gathering) return;
    if (shared->socket) {
      shared_[shared->place] = *std::move(shared->socket);
    } else if (shared->socket.error().kind != ErrorKind::not_found) {
      turn_away(std::exchange(successor_, {}), shared->socket.error().text());
      give_up("a socket cannot be shared");
      return;
    }
    if (--waiting_for_ == 0) hand_out();
  } else if (info.get<LetGo>() != nullptr) {
    if (--waiting_for_ == 0) finish();
  } else if (auto* late = info.get<TooLate>()) {
    const bool waits = step_ != Step::idle && step_ != Step::letting_go;
    if (late->round == round_ && waits) give_up("it took too long (confirm_limit)");
  } else if (info.get<RetryAccept>() != nullptr) {
    process_->scheduler().engine().resume_accepting(listener_);
  } else {
    process_->count_unexpected(info.type_name());
  }
}

}  // namespace hawser
