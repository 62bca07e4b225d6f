// Our STOMP client, for scripts that have a foreign broker at its other end.
//
//   stomp_peer address=HOST:PORT [KEY=VALUE…]
//
// It reads orders from stdin, a JSON object a line, and writes what happens to stdout, a JSON
// object a line: "done" when an order is carried out, "message", "connected", "lost" and so on as
// they come. At the end of stdin it says goodbye and ends.
#include <hawser/hawser.hpp>
#include <hawser/stomp/client.hpp>
#include <hawser/stomp/json.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace hawser;
using stomp::Json;

namespace {

// ---- words
// ----------------------------------------------------------------------------------------

std::string quoted(BytesView text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    // Every octet as the character of that number: the script turns them back (latin-1).
    if (octet < 0x20 || octet > 0x7e || c == '"' || c == '\\') {
      out += fmt::format("\\u{:04x}", octet);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void say(const std::string& event) {
  const std::string line = "{" + event + "}\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

/// The order's text has each octet as the character of that number too.
std::string octets_of(const std::string& utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto octet = static_cast<unsigned char>(utf8[i]);
    if (octet < 0x80 || i + 1 == utf8.size()) {
      out += utf8[i];
    } else {
      const auto next = static_cast<unsigned char>(utf8[++i]);
      out += static_cast<char>(static_cast<unsigned char>((octet & 3U) << 6U | (next & 0x3fU)));
    }
  }
  return out;
}

class Order {
 public:
  explicit Order(Json json) : json_(std::move(json)) {}
  std::string text(std::string_view name) const {
    const Json* found = json_.find(name);
    return found != nullptr && found->text() != nullptr ? octets_of(*found->text()) : "";
  }
  std::uint64_t number(std::string_view name, std::uint64_t otherwise = 0) const {
    const Json* found = json_.find(name);
    return found != nullptr && found->integer() != nullptr
               ? static_cast<std::uint64_t>(*found->integer())
               : otherwise;
  }
  bool flag(std::string_view name, bool otherwise = false) const {
    const Json* found = json_.find(name);
    return found != nullptr && found->boolean() != nullptr ? *found->boolean() : otherwise;
  }
  std::vector<stomp::Header> headers() const {
    std::vector<stomp::Header> all;
    const Json* found = json_.find("headers");
    if (found == nullptr || found->object() == nullptr) return all;
    for (const auto& [name, value] : *found->object())
      if (value.text() != nullptr) all.push_back({octets_of(name), octets_of(*value.text())});
    return all;
  }
  stomp::DeliveryTicket ticket() const {
    return {number("session"), stomp::SubscriptionId{number("subscription")}, number("number")};
  }

 private:
  Json json_;
};

stomp::AckMode mode_of(const std::string& word) {
  if (word == "client") return stomp::AckMode::client;
  if (word == "client-individual") return stomp::AckMode::client_individual;
  return stomp::AckMode::automatic;
}

Payload body_of(const Order& order) {
  if (const std::uint64_t size = order.number("octets"); size != 0) {
    std::string octets(size, '\0');
    for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<char>(i & 0xffU);
    return Payload(octets);
  }
  return Payload(order.text("body"));
}

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t n = i;
    for (int bit = 0; bit < 8; ++bit) n = (n & 1U) != 0 ? 0xedb88320U ^ (n >> 1U) : n >> 1U;
    table[i] = n;
  }
  return table;
}();

/// CRC-32, as Python's zlib.crc32 has it; from `sum` on.
std::uint32_t checksum(std::uint32_t sum, BytesView octets) {
  std::uint32_t state = ~sum;
  for (const char c : octets)
    state = crc_table[(state ^ static_cast<unsigned char>(c)) & 0xffU] ^ (state >> 8U);
  return ~state;
}

// ---- the client
// ------------------------------------------------------------------------------------

struct Line {
  explicit Line(Json what) : order(std::move(what)) {}
  Order order;
};

class StompPeer {
 public:
  explicit StompPeer(bool settles) : settles_(settles) {}

  void handle_cast(Line line) { self().start(carry_out(std::move(line.order))); }
  void handle_connected(const stomp::FrameView& frame) {
    say("\"event\":\"connected\"," + headers_text(frame.to_frame()));
  }
  void handle_ready() { say("\"event\":\"ready\""); }
  void handle_message(const stomp::Delivery& message) {
    const BytesView body = message.body();
    tell(message, body.size(), checksum(0, body), body.size() <= 2000 ? quoted(body) : "null", 1);
  }
  void handle_body_part(const stomp::Delivery& message, BytesView part, bool last) {
    streamed_ += part.size();
    sum_ = checksum(sum_, part);
    ++parts_;
    if (!last) return;
    tell(message, streamed_, sum_, "null", parts_);
    streamed_ = parts_ = sum_ = 0;
  }
  void handle_error(const stomp::FrameView& frame) {
    say("\"event\":\"error\"," + headers_text(frame.to_frame()) +
        ",\"body\":" + quoted(frame.body()));
  }
  void handle_disconnect(const stomp::Lost& lost) {
    streamed_ = parts_ = sum_ = 0;
    say(fmt::format("\"event\":\"lost\",\"reason\":{},\"unsettled\":{},\"again\":{},\"unknown\":{}",
                    quoted(lost.reason.text()), lost.unsettled.size(), lost.sent_again,
                    lost.unknown));
  }
  void terminate(const Reason& reason) {
    say("\"event\":\"ended\",\"reason\":" + quoted(reason.text()));
    self().system().request_stop();
  }

 private:
  static std::string headers_text(const stomp::Frame& frame) {
    std::string text;
    for (const auto& [name, value] : frame.headers) {
      if (!text.empty()) text += ",";
      text += "[" + quoted(name) + "," + quoted(value) + "]";
    }
    return "\"headers\":[" + text + "]";
  }

  void tell(const stomp::Delivery& message, std::size_t size, std::uint32_t sum,
            const std::string& body, std::size_t parts) {
    const stomp::DeliveryTicket& ticket = message.ticket();
    say(fmt::format(
        "\"event\":\"message\",\"size\":{},\"crc\":{},\"body\":{},\"parts\":{},"
        "\"session\":{},\"subscription\":{},\"number\":{},{}",
        size, sum, body, parts, ticket.session, static_cast<std::uint64_t>(ticket.subscription),
        ticket.number, headers_text(message.to_frame())));
    if (settles_) static_cast<void>(message.ack());
  }

  static void done(const Order& order, const std::string& more) {
    say(fmt::format("\"event\":\"done\",\"n\":{},{}", order.number("n"), more));
  }
  template <class T>
  static void done(const Order& order, const Result<T>& result) {
    if (!result) return done(order, "\"error\":" + quoted(result.error().text()));
    if constexpr (std::is_enum_v<T>) {
      done(order, fmt::format("\"value\":{}", static_cast<std::uint64_t>(*result)));
    } else {
      done(order, "\"value\":true");
    }
  }

  static stomp::Send message_of(const Order& order) {
    stomp::Send message(order.text("destination"), body_of(order), order.headers());
    const std::string confirm = order.text("confirm");
    if (confirm == "receipt") message.confirm = stomp::Confirm::receipt;
    if (confirm == "at_least_once") message.confirm = stomp::Confirm::at_least_once;
    message.transaction = stomp::TransactionId{order.number("transaction")};
    return message;
  }
  static stomp::Subscription subscription_of(const Order& order) {
    stomp::Subscription wanted(order.text("destination"), mode_of(order.text("ack")),
                               order.headers());
    wanted.id = order.text("id");
    wanted.durable = order.text("durable");
    wanted.selector = order.text("selector");
    wanted.prefetch = static_cast<std::uint32_t>(order.number("prefetch"));
    return wanted;
  }

  Task<void> carry_out(Order order) {
    const stomp::ClientRef me(self().pid());
    const std::string what = order.text("do");
    const stomp::TransactionId transaction{order.number("transaction")};
    if (what == "send") {
      stomp::Send message = message_of(order);
      done(order, co_await me.ask(std::move(message), 600s));
    } else if (what == "subscribe") {
      stomp::Subscribe wish(subscription_of(order));
      done(order, co_await me.ask(std::move(wish), 600s));
    } else if (what == "unsubscribe") {
      stomp::Unsubscribe wish(stomp::SubscriptionId{order.number("subscription")},
                              order.flag("forget"));
      done(order, co_await me.ask(std::move(wish), 600s));
    } else if (what == "settle") {
      stomp::Settle wish(order.ticket(), order.flag("good", true), transaction);
      wish.confirmed = order.flag("confirmed", transaction == stomp::TransactionId{});
      done(order, co_await me.ask(std::move(wish), 600s));
    } else if (what == "begin") {
      done(order, co_await me.ask(stomp::Begin{}, 600s));
    } else if (what == "commit") {
      done(order, co_await me.ask(stomp::Commit(transaction), 600s));
    } else if (what == "abort") {
      done(order, co_await me.ask(stomp::Abort(transaction), 600s));
    } else if (what == "status") {
      auto status = co_await me.ref().call(stomp::GetStatus{});
      done(order,
           fmt::format("\"beats\":{},\"again\":{},\"unsettled\":{},\"waiting\":{},\"logins\":{}",
                       status->counters.heartbeats, status->counters.sent_again, status->unsettled,
                       status->waiting, status->counters.logins));
    } else if (what == "load") {
      load_ = Load{order, 0, 0, 0};
      for (std::uint64_t i = 0; i < order.number("window", 200); ++i) self().start(send_load());
    } else {
      done(order, "\"error\":\"no such order\"");
    }
  }

  /// Message after message, until `count` have been confirmed or refused, by all its likes
  /// together.
  Task<void> send_load() {
    const stomp::ClientRef me(self().pid());
    while (load_.begun < load_.order.number("count")) {
      const std::string number = std::to_string(++load_.begun);
      stomp::Send message(load_.order.text("destination"), Payload(number), load_.order.headers());
      message.confirm = stomp::Confirm::at_least_once;
      auto sent = co_await me.ask(std::move(message), 600s);
      if (!sent) {
        ++load_.failed;
        say("\"event\":\"refused\",\"body\":" + quoted(number + ": " + sent.error().text()));
      }
      if (++load_.ended % 100 == 0)
        say(fmt::format("\"event\":\"progress\",\"count\":{}", load_.ended));
      if (load_.ended == load_.order.number("count"))
        done(load_.order, fmt::format("\"failed\":{}", load_.failed));
    }
  }

  struct Load {
    Order order{Json{}};
    std::uint64_t begun;
    std::uint64_t ended;
    std::uint64_t failed;
  };
  bool settles_;
  Load load_{};
  std::size_t streamed_ = 0;
  std::uint32_t sum_ = 0;
  std::size_t parts_ = 0;
};

// ---- how it is told what to be
// --------------------------------------------------------------------

using Words = std::map<std::string, std::string, std::less<>>;

stomp::ClientOptions options_of(Words& words) {
  stomp::ClientOptions options;
  options.targets = TargetList(words["address"]);
  options.dial.timeout = 5s;
  if (words.contains("login")) options.session.login = words["login"];
  if (words.contains("passcode")) options.session.passcode = words["passcode"];
  if (const auto version = stomp::find_version(words["version"]))
    options.session.versions = {*version};
  if (words.contains("beat")) {
    const std::chrono::milliseconds beat(std::atoi(words["beat"].c_str()));
    options.session.heartbeat = {beat, beat};
  }
  if (words["content-length"] == "0") options.session.content_length = false;
  options.stream_from = words.contains("stream") ? std::size_t{256} << 10 : SIZE_MAX;
  options.backoff = {.base = 100ms, .cap = 500ms, .stable_after = 60s};
  options.outbox_bytes = std::size_t{256} << 20;
  if (words.contains("ca")) {
    TlsClientOptions tls;
    tls.trust.authority_file = words["ca"];
    tls.server_name = "localhost";
    options.transports.push_back(tls_client(TlsClientContext::create(std::move(tls)).value()));
  }
  if (words.contains("websocket"))
    options.transports.push_back(
        websocket_client(stomp::stomp_websocket(words["websocket"], options.session.versions)));
  if (words["dialect"] == "RabbitMQ") return stomp::rabbitmq(options);
  if (words["dialect"] == "ActiveMQ") return stomp::activemq(options, words["client-id"]);
  return options;
}

}  // namespace

int main(int count, char** argv) {
  Words words;
  for (int i = 1; i < count; ++i) {
    const std::string word = argv[i];
    const std::size_t equals = std::min(word.find('='), word.size());
    words[word.substr(0, equals)] = equals == word.size() ? "" : word.substr(equals + 1);
  }
  System system({.schedulers = 1, .log_level = LogLevel::error});
  ChildSpec spec = stomp::client<StompPeer>("peer", options_of(words), words.contains("settle"));
  spec.restart = Restart::temporary;
  const auto started = system.start(std::move(spec));
  if (!started) return std::fprintf(stderr, "%s\n", started.error().text().c_str()), 1;
  const Ref<StompPeer> peer(*started);
  std::thread reader([peer] {
    std::string line;
    while (std::getline(std::cin, line)) {
      auto order = stomp::parse_json(line);
      if (!order) std::fprintf(stderr, "%s\n", order.error().text().c_str());
      if (order) peer.cast(Line(std::move(*order)));
    }
    Ref<stomp::Client>(peer.pid()).cast(stomp::Close{});
  });
  const int status = system.run();
  std::fflush(stdout);
  reader.detach();  // it may wait for an order that never comes
  _exit(status);
}
