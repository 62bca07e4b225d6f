// The way into a session and out of it: octets to frames to what each does, holds, receipts,
// faults.
#include <hawser/stomp/session.hpp>

#include <hawser/stomp/detail/scratch_frame.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/escape.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::stomp {
namespace {

bool is_too_long(Fault fault) noexcept {
  switch (fault) {
    case Fault::command_too_long:
    case Fault::too_many_headers:
    case Fault::header_line_too_long:
    case Fault::header_block_too_long:
    case Fault::body_too_long:
    case Fault::frame_too_long:
      return true;
    default:
      return false;
  }
}

}  // namespace

BrokerSession::BrokerSession(const SessionOptions& options, Port& port, std::string number,
                             Instant now, SessionOrigin origin)
    : options_(&options),
      port_(&port),
      out_(&port.output()),
      parser_(options.parser),
      number_(std::move(number)),
      origin_(std::move(origin)),
      opened_(now),
      last_received_(now),
      last_written_(now) {}

BrokerSession::~BrokerSession() = default;

// ---- in from the peer
// ------------------------------------------------------------------------------------

void BrokerSession::received(BytesView octets, Instant now) {
  last_received_ = now;
  if (held_ != 0) {
    held_input_ += octets;
    return;
  }
  work(octets);
}

void BrokerSession::work(BytesView octets) {
  working_ = true;
  FrameView& frame = detail::scratch_frame();
  bool more = true;
  bool only_beats = true;
  while (more && reading()) {
    switch (parser_.next(octets, frame)) {
      case Step::frame:
        only_beats = false;
        handle(frame);
        break;
      case Step::heartbeat:
      case Step::need_more:
        more = false;
        break;
      case Step::error: {
        const ParseError& error = *parser_.error();
        if (is_too_long(error.fault)) close_code_ = 1009;
        fail("malformed frame: " + std::string(to_string(error.fault)), error.text, {},
             Reason::protocol_error(error.text));
        break;
      }
    }
  }
  working_ = false;
  if (held_ != 0 && !octets.empty()) held_input_ += octets;
  const bool between_frames = parser_.between_frames();
  if (calm_ ? !between_frames : between_frames && only_beats) watch_calmly(!calm_);
}

/// Between frames nobody need be woken by a heart-beat, whose only news is when it came, and the
/// kernel knows that: see tick(). Any frame is long enough to be told at once; within one, every
/// octet is. For ten thousand idle connections this was a third of what they cost.
void BrokerSession::watch_calmly(bool calm) {
  constexpr int shortest_frame = 6;  // ACK, two line ends, NUL
  if (state_ == State::open && heartbeats_.receive_every.count() > 0)
    calm_ = port_->read_from(calm ? shortest_frame : 1) && calm;
}

void BrokerSession::hold(Hold why) {
  if (held_ == 0) port_->read(false);
  held_ |= why;
}

void BrokerSession::let_go(Hold why) {
  if ((held_ & why) == 0) return;
  held_ = static_cast<std::uint8_t>(held_ & ~why);
  if (held_ != 0) return;
  if (!working_ && !held_input_.empty()) {
    const Bytes input = std::exchange(held_input_, {});
    work(input);
    if (held_ != 0) return;
  }
  if (state_ != State::ended) port_->read(true);
}

void BrokerSession::handle(const FrameView& frame) {
  const Command command = frame.command();
  if (command == Command::connect || command == Command::stomp) {
    connect(frame);
    return;
  }
  if (state_ == State::login) {
    fail_frame(frame, "not connected", "the first frame must be CONNECT or STOMP");
    return;
  }
  switch (command) {
    case Command::send:
      send(frame);
      return;
    case Command::ack:
      acknowledge(frame, true);
      return;
    case Command::nack:
      acknowledge(frame, false);
      return;
    case Command::subscribe:
      subscribe(frame);
      return;
    case Command::unsubscribe:
      unsubscribe(frame);
      return;
    case Command::begin:
      begin(frame);
      return;
    case Command::commit:
      commit(frame);
      return;
    case Command::abort:
      abort(frame);
      return;
    case Command::disconnect:
      disconnect(frame);
      return;
    default:
      fail_frame(frame, fmt::format("{} is not understood", frame.command_name()),
                 "that is a broker's frame, not a client's");
  }
}

// ---- in from the bus
// -------------------------------------------------------------------------------------

void BrokerSession::confirmed(std::uint64_t token) {
  const auto receipts = owed_.take(token);
  if (!receipts || state_ == State::ended) return;
  for (const Bytes& receipt : *receipts) write_receipt(receipt);
  if (state_ == State::leaving && owed_.open() == 0) {
    say_goodbye();
  } else if (owed_.open() <= options_->awaited_receipts / 2) {
    let_go(hold_receipts);
  }
}

void BrokerSession::refused(std::uint64_t token, const Error& error) {
  const auto receipts = owed_.take(token);
  std::optional<BytesView> receipt;
  if (receipts && !receipts->empty()) receipt = receipts->front();
  fail(to_string(error.kind), error.text(), receipt,
       error.kind == ErrorKind::overloaded ? Reason::overloaded(error.detail)
                                           : Reason::protocol_error(error.text()));
}

void BrokerSession::pause_changed(bool paused) { paused ? hold(hold_bus) : let_go(hold_bus); }

void BrokerSession::bus_lost(std::string why) {
  fail("the broker restarts", "connect again", {}, Reason::failed(std::move(why)));
}

// ---- receipts
// --------------------------------------------------------------------------------------------

std::optional<BytesView> BrokerSession::receipt_of(const FrameView& frame) {
  const auto receipt = frame.first("receipt");
  if (!receipt) return BytesView{};
  if (receipt->size() <= options_->receipt) return receipt;
  fail("receipt too long",
       fmt::format("{} octets; the limit is {}", receipt->size(), options_->receipt), {},
       Reason::protocol_error("receipt too long"));
  return std::nullopt;
}

std::uint64_t BrokerSession::owe(BytesView receipt) {
  if (receipt.empty()) return 0;
  const std::uint64_t token = owed_.add(Bytes(receipt));
  if (owed_.open() >= options_->awaited_receipts) hold(hold_receipts);
  return token;
}

std::uint64_t BrokerSession::owe(std::vector<Bytes> receipts) {
  if (receipts.empty()) return 0;
  const std::uint64_t token = owed_.add(std::move(receipts));
  if (owed_.open() >= options_->awaited_receipts) hold(hold_receipts);
  return token;
}

void BrokerSession::write_receipt(BytesView name) {
  if (name.empty() || state_ == State::ended) return;
  HeadWriter head(*out_, version_, Command::receipt);
  head.add("receipt-id", name);
  if (head.finish()) *out_ += frame_end;
}

// ---- faults
// ----------------------------------------------------------------------------------------------

bool BrokerSession::within(const FrameView& frame, BytesView value, std::uint32_t limit,
                           const char* what) {
  if (value.size() <= limit) return true;
  fail_frame(frame, fmt::format("{} too long", what),
             fmt::format("{} octets; the limit is {}", value.size(), limit));
  return false;
}

void BrokerSession::fail_refused(const FrameView& frame, std::string_view what,
                                 BytesView destination) {
  close_code_ = 1008;
  fail("access refused", fmt::format("you may not {} {}", what, quoted(destination, 200)),
       frame.first("receipt"),
       Reason::custom(fmt::format("access refused: {} may not {} {}",
                                  user_.empty() ? "nobody" : quoted(user_), what,
                                  quoted(destination))));
}

void BrokerSession::fail_frame(const FrameView& frame, std::string_view message,
                               std::string_view detail) {
  fail(message, detail, frame.first("receipt"), Reason::protocol_error(std::string(message)));
}

void BrokerSession::fail(std::string_view message, std::string_view detail,
                         std::optional<BytesView> receipt, Reason reason,
                         std::optional<BytesView> subscription) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  HeadWriter head(*out_, version_, Command::error);
  if (receipt && find_unsendable(*receipt, version_) == BytesView::npos)
    head.add("receipt-id", *receipt);
  if (subscription && find_unsendable(*subscription, version_) == BytesView::npos)
    head.add("subscription", *subscription);
  const Bytes words = quoted(message, 200);
  head.add("content-type", "text/plain")
      .add("message", BytesView(words).substr(1, words.size() - 2));
  if (head.finish(detail)) {
    *out_ += detail;
    *out_ += frame_end;
  }
  port_->told_error(message);
  port_->end(std::move(reason));
}

std::string BrokerSession::describe() const {
  const bool in = state_ != State::login && state_ != State::checking;
  return fmt::format(
      "STOMP {}{}{}, {} subscriptions, {} waiting, {} transactions, {} receipts owed{}",
      in ? to_string(version_) : "login", user_.empty() ? "" : ", ", user_, by_name_.size(),
      waiting_.size(), transactions_.size(), owed_.open(), held_ != 0 ? ", not reading" : "");
}

}  // namespace hawser::stomp
