// A whole broker session under fuzz: octets in any pieces, a bus that answers late, in any order or
// not at all, a peer that does not read, a clock that jumps. What comes out must be frames that a
// client's parser takes, nothing may follow the end, and the limits must hold.
//
// The input is a script: an octet that says what happens, and what it needs.
#include <hawser/base/check.hpp>
#include <hawser/stomp/session.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace hawser;
using namespace hawser::stomp;

class Rules final : public Access {
 public:
  Result<std::string> log_in(const LoginRequest& request) const override { return request.login; }
  bool may_read(std::string_view, BytesView destination) const override {
    return !covers("/topic/secret.>", destination);
  }
  bool may_write(std::string_view, BytesView destination) const override {
    return destination != "/queue/secret";
  }
};

class Port final : public BrokerSession::Port {
 public:
  Bytes& output() override { return out; }
  void write(const Payload& octets) override { out += octets.view(); }
  bool has_room() override { return room; }
  void read(bool on) override { reading = on; }
  void end(Reason) override {
    check(!ended, "a session ends once");
    ended = true;
  }
  void log_in(LoginRequest) override { asked_login = true; }
  std::int64_t wall_ms() override { return 1'000'000; }
  std::string secret() override { return "secret"; }
  void told_error(std::string_view) override { check(!told, "one ERROR"), told = true; }
  bus::Sender sender(const bus::Destination& to) override {
    senders.push_back(to);
    return {static_cast<std::uint32_t>(senders.size() - 1), 1};
  }
  bool publish(bus::Sender to, bus::MessagePtr message, std::uint64_t token) override {
    check(to.slot < senders.size(), "a sender that was given out");
    if (token != 0) tokens.push_back(token);
    if (messages.size() < 64) messages.push_back(std::move(message));
    return true;
  }
  void declare_temporary(const bus::Destination&) override { check(++temporary <= 8, "limit"); }
  void remove(const bus::Destination&, std::uint64_t token) override { add(token); }
  void subscribe(std::uint64_t number, bus::Subscription wanted, std::uint64_t token) override {
    check(wanted.prefetch <= 16, "the prefetch has a limit");
    check(live.emplace(number, Live{}).second, "numbers are used once");
    check(live.size() <= 8, "subscriptions have a limit");
    add(token);
  }
  void unsubscribe(std::uint64_t number, std::uint64_t last_seen, std::uint64_t token) override {
    const auto found = live.find(number);
    check(found != live.end(), "what ends was there");
    check(last_seen <= found->second.delivered, "nobody saw what was not delivered");
    live.erase(found);
    add(token);
  }
  void settle(const bus::Settlement& what, std::uint64_t token) override {
    check_settlement(what);
    add(token);
  }
  void commit(bus::Transaction transaction, std::uint64_t token) override {
    check(transaction.size() > 0, "an empty transaction needs no bus");
    add(token);
  }
  void add(std::uint64_t token) {
    if (token != 0) tokens.push_back(token);
  }
  void check_settlement(const bus::Settlement& what) {
    const auto found = live.find(what.subscription);
    check(found != live.end(), "settled where there is a subscription");
    check(what.first >= 1 && what.first <= what.last && what.last <= found->second.delivered,
          "settled what was delivered");
  }

  struct Live {
    std::uint64_t delivered = 0;
  };
  Bytes out;
  bool room = true;
  bool reading = true;
  bool ended = false;
  bool told = false;
  bool asked_login = false;
  std::uint32_t temporary = 0;
  std::vector<bus::Destination> senders;
  std::deque<bus::MessagePtr> messages;
  std::deque<std::uint64_t> tokens;
  std::map<std::uint64_t, Live> live;
};

const SessionOptions& options(bool guarded) {
  static const auto make = [](bool with_access) {
    SessionOptions made;
    if (with_access) made.access = std::make_shared<Rules>();
    made.subscriptions = 8;
    made.prefetch = 16;
    made.transactions = 3;
    made.transaction_actions = 5;
    made.transaction_bytes = 4'000;
    made.awaited_receipts = 6;
    made.composite = 4;
    made.parser.limits.body = 2'000;
    made.parser.limits.header_block = 2'000;
    made.parser.limits.headers = 40;
    made.parser.limits.pre_login_frame = 1'000;
    return made;
  };
  static const SessionOptions open = make(false);
  static const SessionOptions closed = make(true);
  return guarded ? closed : open;
}

class Script {
 public:
  explicit Script(BytesView input) : rest_(input) {}
  bool empty() const { return rest_.empty(); }
  unsigned octet() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  BytesView piece(std::size_t size) {
    const BytesView taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  BytesView rest_;
};

/// What a client's parser makes of the broker's octets: frames, or there is a bug.
class Reader {
 public:
  void take(BytesView octets, const BrokerSession& session) {
    for (;;) {
      switch (parser_.next(octets, frame_)) {
        case Step::frame:
          if (frame_.command() == Command::connected) parser_.set_version(session.version());
          check(!error_, "nothing follows an ERROR");
          error_ = frame_.command() == Command::error;
          continue;
        case Step::error:
          check(false, "the broker writes frames");
          return;
        case Step::heartbeat:
        case Step::need_more:
          return;
      }
    }
  }

 private:
  Parser parser_;
  FrameView frame_;
  bool error_ = false;
};

void run(Script script) {
  const unsigned mode = script.octet();
  Port port;
  Instant now{1h};
  SessionOrigin origin;
  if ((mode & 2U) != 0) origin.version = Version::v1_1;
  BrokerSession session(options((mode & 1U) != 0), port, "s", now, origin);
  Reader reader;
  while (!script.empty()) {
    const bool over = port.ended;
    const unsigned what = script.octet();
    switch (what % 12) {
      default:  // a piece of input, the rest of it more often than not
        session.received(script.piece((what & 0x40U) != 0 ? script.octet() : what), now);
        break;
      case 3:
        if (!port.tokens.empty()) {
          const std::size_t at = script.octet() % port.tokens.size();
          const std::uint64_t token = port.tokens[at];
          port.tokens.erase(port.tokens.begin() + static_cast<std::ptrdiff_t>(at));
          session.confirmed(token);
        }
        break;
      case 4:
        if (!port.tokens.empty()) {
          const std::uint64_t token = port.tokens.front();
          port.tokens.pop_front();
          session.refused(token, Error{ErrorKind::overloaded, 0, "publish", "full"});
        }
        break;
      case 5: {
        if (port.live.empty() || port.messages.empty()) break;
        auto at = port.live.begin();
        std::advance(at, script.octet() % port.live.size());
        std::vector<bus::Delivery> some(1 + script.octet() % 4);
        for (bus::Delivery& each : some) {
          each.subscription = at->first;
          each.id = ++at->second.delivered;
          each.message = port.messages.front();
          each.count = 1 + what / 64;
        }
        session.delivered(some);
        break;
      }
      case 6:
        port.room = !port.room;
        if (port.room) session.writable();
        break;
      case 7:
        now = now + std::chrono::seconds(script.octet());
        session.tick(now);
        break;
      case 8:
        session.pause_changed((what & 0x40U) != 0);
        break;
      case 9:
        if (port.asked_login) {
          if ((what & 0x40U) != 0) {
            session.logged_in("user");
          } else {
            session.logged_in(std::unexpected(Error{ErrorKind::refused, 0, "login", "no"}));
          }
        }
        break;
      case 10:
        if (!port.live.empty()) {
          const std::uint64_t number = port.live.begin()->first;
          if ((what & 0x40U) != 0) {
            session.browse_ended(number);
          } else {
            session.subscription_ended(number, Error{ErrorKind::overloaded, 0, "topic", "slow"});
          }
        }
        break;
    }
    check(!over || port.out.empty(), "nothing is written after the end");
    reader.take(port.out, session);
    port.out.clear();
    check(session.subscriptions() <= 8 && session.transactions() <= 3, "limits hold");
  }
  session.leave();
  check(port.live.empty(), "the end gives back everything");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  run(Script(BytesView(reinterpret_cast<const char*>(data), size)));
  return 0;
}
