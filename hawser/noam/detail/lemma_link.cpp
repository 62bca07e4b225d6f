// Datagrams, connections and the session of one lemma.
#include <hawser/noam/detail/lemma_link.hpp>

#include <hawser/base/log.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/net/dial.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::noam::detail {

namespace {

using Link = Ref<LemmaLink>;

/// Told to our own connection: one frame to send.
struct WriteFrame {
  Payload frame;
};

/// Our connection to the host: frames go out, over WebSocket they also come in.
class OutConnection {
 public:
  explicit OutConnection(Pid link) : link_(link) {}

  void init() { link_.cast(LemmaLink::Up{self().pid()}); }
  void handle_packet(Packet packet) { link_.cast(LemmaLink::Frame{self().pid(), Bytes(packet)}); }
  void handle_passive() { link_.cast(LemmaLink::Waits{self().pid()}); }
  void handle_cast(const WriteFrame& message) {
    (void)connection().send_packet(message.frame);
    written_ += message.frame.size();
    // The link counts what it gave us; it need not hear of every frame.
    const std::size_t window = connection().options().high_water;
    if (written_ >= std::min(report_every, window / 2) && connection().unsent() < window) report();
  }
  void handle_drained() { report(); }

 private:
  static constexpr std::size_t report_every = 16'384;
  void report() { link_.cast(LemmaLink::Written{self().pid(), std::exchange(written_, 0)}); }
  Link link_;
  std::size_t written_ = 0;
};

/// The host's connection to us.
class InConnection {
 public:
  explicit InConnection(Pid link) : link_(link) {}

  Next init() {
    const auto peer = connection().peer();
    if (!peer) return stop(Reason::failed(peer.error().text()));
    link_.cast(LemmaLink::Reversed{self().pid(), *peer});
    return keep();
  }
  void handle_packet(Packet packet) { link_.cast(LemmaLink::Frame{self().pid(), Bytes(packet)}); }
  void handle_passive() { link_.cast(LemmaLink::Waits{self().pid()}); }

 private:
  Link link_;
};

/// What reaches the handler's process.
template <class Content, void (Lemma::*Deliver)(const Content&)>
class ToLemma final : public Message {
 public:
  explicit ToLemma(Content content) : content_(std::move(content)) {}
  void deliver(Process& receiver) override {
    if (auto* lemma = static_cast<Lemma*>(receiver.handler(type_info<Lemma>)))
      (lemma->*Deliver)(content_);
  }
  std::string_view describe() const noexcept override { return type_info<Content>.name; }

 private:
  Content content_;
};

class OddityToLemma final : public Message {
 public:
  explicit OddityToLemma(Oddity oddity) : oddity_(oddity) {}
  void deliver(Process& receiver) override {
    if (auto* lemma = static_cast<Lemma*>(receiver.handler(type_info<Lemma>)))
      lemma->deliver_oddity(oddity_);
  }
  std::string_view describe() const noexcept override { return "oddity"; }

 private:
  Oddity oddity_;
};

/// Goes through the handler's mailbox, behind all that it was sent, and back to the connection.
class ThroughLemma final : public Message {
 public:
  ThroughLemma(Pid connection, std::uint32_t frames) : connection_(connection), frames_(frames) {}
  void deliver(Process&) override { Ref<Connection>(connection_).cast(Activate{frames_}); }
  std::string_view describe() const noexcept override { return "read on"; }
  bool is_refusable() const noexcept override { return false; }

 private:
  Pid connection_;
  std::uint32_t frames_;
};

constexpr std::string_view session_timer = "session";

}  // namespace

LemmaLink::LemmaLink(std::string name, std::shared_ptr<const LemmaOptions> options)
    : name_(std::move(name)), options_(std::move(options)) {}

LemmaLink::~LemmaLink() {
  if (listening_) process_->scheduler().engine().close_now(listening_);
}

void LemmaLink::init() {
  self().trap_exit();
  process_ = &self().process();
  const auto group = [&](std::string name, Framing framing, TransportMakers transports) {
    ConnectionGroup::Parts parts{.name = std::move(name), .framing = std::move(framing)};
    parts.options.handshake_timeout = options_->connect_timeout;
    parts.options.active_packets = options_->intake;
    parts.options.high_water = options_->window;
    parts.options.low_water = options_->window / 2;
    parts.options.flush_deadline = 1s;
    // The queue is bounded, and so is what we hand over of it.
    parts.options.send_limit = options_->window + 2 * longest_frame;
    parts.counters = std::make_shared<ConnectionCounters>();
    parts.transports = std::move(transports);
    return std::make_shared<ConnectionGroup>(process_->scheduler(), self().pid(), std::move(parts));
  };
  if (options_->transport == LemmaTransport::websocket) {
    WebSocketClientOptions web;
    web.path = options_->websocket_path;
    web.text = true;
    web.stream = true;  // frames may be cut over messages as the host likes
    out_group_ = group(name_ + "/out", incoming_frames(options_->frame_limit),
                       {websocket_client(std::move(web))});
  } else {
    out_group_ = group(name_ + "/out", raw(), {});
    in_group_ = group(name_ + "/in", incoming_frames(options_->frame_limit), {});
  }
  session_.emplace(*options_, static_cast<LemmaSession::Port&>(*this), self().random());
  // Without it (no netlink, say) a new network is found by the next marco, a little later.
  (void)interfaces_.start([this](const auto&) {
    session_->network_changed(self().now());
    arm();
  });
}

// ---- the handler
// -------------------------------------------------------------------------------------

void LemmaLink::handle_cast(const Attach& message) {
  if (handler_) self().demonitor(watched_);
  handler_ = Ref<Lemma>(message.handler);
  watched_ = self().monitor(message.handler);
  for (const EventLoss& loss : std::exchange(untold_, {})) lost(loss);
  session_->start(self().now());
  arm();
}

void LemmaLink::handle_cast(SpeakFrame message) {
  // A full queue is told by lost().
  (void)session_->speak(std::move(message.frame));
  arm();
}

void LemmaLink::handle_cast(OfferFrame message) {
  message.from.answer(session_->speak(std::move(message.frame)));
  arm();
}

void LemmaLink::handle_cast(Ask message) { message.from.reply(session_->status()); }

void LemmaLink::handle_cast(Confirm) {
  session_->confirm(self().now());
  arm();
}

void LemmaLink::handle_cast(Rediscover) {
  if (!handler_) return;
  session_->stop();
  session_->start(self().now());
  arm();
}

void LemmaLink::heard(const EventView& event, BytesView topic) {
  Event owned{json_to_string(event.sender).value_or(""), std::string(topic),
              std::string(event.value)};
  Scheduler::send(handler_.pid(),
                  std::make_unique<ToLemma<Event, &Lemma::deliver_heard>>(std::move(owned)));
}

void LemmaLink::changed(const LemmaChange& change) {
  if (change.state != LemmaState::discovering) discovery_.close();
  Scheduler::send(handler_.pid(),
                  std::make_unique<ToLemma<LemmaChange, &Lemma::state_changed>>(change));
}

void LemmaLink::lost(const EventLoss& loss) {
  if (handler_) {
    Scheduler::send(handler_.pid(),
                    std::make_unique<ToLemma<EventLoss, &Lemma::deliver_loss>>(loss));
    return;
  }
  const bool continues =
      !untold_.empty() && untold_.back().why == loss.why && untold_.back().last + 1 == loss.first;
  if (continues) {
    untold_.back().last = loss.last;
  } else {
    untold_.push_back(loss);
  }
}

void LemmaLink::odd(Oddity oddity) {
  Scheduler::send(handler_.pid(), std::make_unique<OddityToLemma>(oddity));
}

// ---- datagrams
// ---------------------------------------------------------------------------------------

void LemmaLink::send_marco(BytesView marco) {
  if (!discovery_.is_open()) {
    const auto opened = discovery_.open(
        Address::any_ipv4(0), {.broadcast = true}, [this](const Datagram& datagram) {
          session_->datagram(datagram.from, datagram.bytes, self().now());
          arm();
        });
    if (!opened) {
      self().log().warning(name_, opened.error().text());
      return;
    }
  }
  if (options_->broadcast) discovery_.broadcast(options_->discovery_port, marco);
  for (const Address& host : options_->discover) (void)discovery_.send(host, marco);
}

// ---- connections
// -------------------------------------------------------------------------------------

std::optional<std::uint16_t> LemmaLink::open_callback() {
  ListenOptions options;
  options.backlog = 16;
  auto listening = process_->scheduler().engine().listen(options_->callback, options, *this);
  if (!listening) {
    self().log().warning(name_, listening.error().text());
    return std::nullopt;
  }
  listening_ = listening->id;
  return listening->bound.port();
}

void LemmaLink::connect(const Address& host) {
  DialOptions to;
  to.address = host;
  to.timeout = options_->connect_timeout;
  const Pid link = self().pid();
  auto dialed = dial<OutConnection>(out_group_, std::move(to), {.parent = link},
                                    [link] { return OutConnection(link); });
  if (dialed) {
    out_ = *dialed;
    return;
  }
  // Told in a turn of its own: the session is in the middle of something.
  self().send_after(Duration::zero(), Reason::failed(dialed.error().text()));
}

void LemmaLink::write(const Payload& frame) { Ref<OutConnection>(out_).cast(WriteFrame{frame}); }

void LemmaLink::end(Pid& connection) {
  if (connection) self().exit(std::exchange(connection, Pid{}), Reason::shutdown());
}

void LemmaLink::close_links() {
  if (listening_) process_->scheduler().engine().close_now(std::exchange(listening_, SocketId{}));
  end(out_);
  end(in_);
}

void LemmaLink::on_accepted(NativeSocket socket) {
  process_->run_callback("handle_accept", [&] {
    const Pid link = self().pid();
    // Whether it is the host is seen when it stands; what fails here is its own affair.
    (void)start_connection<InConnection>(in_group_, std::move(socket), {.parent = link},
                                         [link] { return InConnection(link); });
  });
}

void LemmaLink::on_accept_failed(const Error& error, bool paused) {
  if (!paused) return;
  process_->run_callback("handle_accept", [&] {
    session_->link_lost(Reason::failed(error.text()), self().now());
    arm();
  });
}

void LemmaLink::handle_cast(const Up& message) {
  if (message.connection != out_) return;
  session_->connected(self().now());
  arm();
}

void LemmaLink::handle_cast(const Reversed& message) {
  Pid comer = message.connection;
  if (!session_->reversed(message.peer, self().now())) {
    end(comer);
    return;
  }
  end(in_);
  in_ = comer;
  arm();
}

void LemmaLink::handle_cast(const Frame& message) {
  if (message.connection != in_ && message.connection != out_) return;
  // A host says nothing on a lemma's own TCP connection.
  if (message.connection == out_ && options_->transport == LemmaTransport::tcp) return;
  session_->received(message.json, self().now());
  arm();
}

void LemmaLink::handle_cast(const Waits& message) {
  Scheduler::send(handler_.pid(),
                  std::make_unique<ThroughLemma>(message.connection, options_->intake));
}

void LemmaLink::handle_cast(const Written& message) {
  if (message.connection != out_) return;
  session_->written(message.bytes);
  arm();
}

void LemmaLink::handle_info(Info& info) {
  if (const auto* exit = info.get<Exit>()) {
    if (exit->from == self().parent()) {
      self().stop(exit->reason);
      return;
    }
    if (exit->from != out_ && exit->from != in_) return;
    // Not to be ended again: it is gone.
    (exit->from == out_ ? out_ : in_) = Pid{};
    session_->link_lost(exit->reason, self().now());
    arm();
  } else if (const auto* down = info.get<Down>()) {
    if (down->from != handler_.pid()) return;
    handler_ = {};
    // The host shall not think that somebody is there; what waits, waits for the next handler.
    session_->stop();
    arm();
  } else if (const auto* failed = info.get<Reason>()) {
    session_->link_lost(*failed, self().now());
    arm();
  }
}

// ---- time
// --------------------------------------------------------------------------------------------

void LemmaLink::handle_timer(std::string_view) {
  armed_ = Instant::never();
  session_->tick(self().now());
  arm();
}

/// A timer that comes too early only looks again: set anew is only what must come earlier.
void LemmaLink::arm() {
  const Instant next = session_->next_tick();
  if (next == Instant::never() || armed_ <= next) return;
  armed_ = next;
  self().start_timer(session_timer, std::max(next - self().now(), Duration::zero()));
}

std::string LemmaLink::describe() const {
  if (!session_) return {};
  const LemmaStatus status = session_->status();
  return fmt::format("{} in \"{}\": {}{}{}, {} events wait", options_->guest, options_->room,
                     to_string(status.state), status.host == Address{} ? "" : " ",
                     status.host == Address{} ? "" : status.host.text(), status.waiting_events);
}

}  // namespace hawser::noam::detail
