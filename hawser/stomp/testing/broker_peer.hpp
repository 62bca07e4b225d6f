// A client of a broker's session without any network: it feeds octets and writes down what the
// session says to its peer and to the bus. For tests of the STOMP layer; one thread.
#pragma once

#include <hawser/stomp/session.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::stomp::testing {

class BrokerPeer : public BrokerSession::Port {
 public:
  explicit BrokerPeer(SessionOptions chosen = {}, SessionOrigin origin = {})
      : options(std::move(chosen)), session(options, *this, "s", now, std::move(origin)) {}

  // ---- what it does
  // ------------------------------------------------------------------------------

  void feed(const std::string& octets) { session.received(octets, now); }
  /// A frame with "name:value" lines; the NUL is added.
  void frame(const std::string& command, const std::vector<std::string>& headers = {},
             const std::string& body = {}) {
    std::string text = command + "\n";
    for (const auto& header : headers) text += header + "\n";
    feed(text + "\n" + body + std::string(1, '\0'));
  }
  void log_in(const std::string& version = "1.2", const std::vector<std::string>& more = {}) {
    std::vector<std::string> headers{"accept-version:" + version, "host:h"};
    headers.insert(headers.end(), more.begin(), more.end());
    frame("CONNECT", headers);
    EXPECT_TRUE(take().starts_with("CONNECTED\nversion:" + version + "\n"));
  }
  /// Subscribes; the number the bus knows it by.
  std::uint64_t subscribe(const std::string& destination, const std::string& id,
                          std::vector<std::string> more = {}) {
    more.push_back("destination:" + destination);
    if (!id.empty()) more.push_back("id:" + id);
    frame("SUBSCRIBE", more);
    EXPECT_FALSE(subscribed.empty()) << out;
    return subscribed.empty() ? 0 : subscribed.back().number;
  }
  static bus::MessagePtr message(const std::string& body,
                                 const std::vector<bus::Property>& properties = {},
                                 const std::string& destination = "/topic/a",
                                 const std::string& type = "text/plain") {
    bus::PropertyLines lines;
    for (const auto& [name, value] : properties) lines.add(name, value);
    bus::MessageDraft draft;
    draft.destination = destination;
    draft.content_type = type;
    draft.properties = lines.view();
    draft.body = body;
    return bus::Message::make(draft);
  }
  void deliver(std::uint64_t number, std::uint64_t id, const std::string& body,
               const std::vector<bus::Property>& properties = {}, std::uint32_t count = 1) {
    std::vector<bus::Delivery> one(1);
    one[0].subscription = number;
    one[0].id = id;
    one[0].message = message(body, properties);
    one[0].count = count;
    one[0].redelivered = count > 1;
    session.delivered(one);
  }
  /// Deliveries 1 to `count` at once, with their number as the body.
  void deliver_many(std::uint64_t number, std::uint64_t count) {
    std::vector<bus::Delivery> all(count);
    for (std::uint64_t id = 1; id <= count; ++id) {
      all[id - 1].subscription = number;
      all[id - 1].id = id;
      all[id - 1].message = message(std::to_string(id));
    }
    session.delivered(all);
  }
  std::string take() { return std::exchange(out, {}); }
  bool said(const std::string& part) const { return out.find(part) != std::string::npos; }
  /// ERROR with these words has come, and then the end.
  ::testing::AssertionResult refused(const std::string& words) const {
    if (!out.starts_with("ERROR\n") && out.find(std::string("\0ERROR\n", 7)) == std::string::npos)
      return ::testing::AssertionFailure() << "no ERROR: " << out;
    if (!said(words)) return ::testing::AssertionFailure() << "another ERROR: " << out;
    if (!ended) return ::testing::AssertionFailure() << "not ended";
    return ::testing::AssertionSuccess();
  }

  // ---- Port
  // --------------------------------------------------------------------------------------

  Bytes& output() override { return out; }
  void write(const Payload& octets) override { out += octets.view(); }
  bool has_room() override { return room; }
  void read(bool on) override { reading = on; }
  bool read_from(int least) override {
    if (!plain) return false;
    reads_from = least;
    return true;
  }
  std::optional<Instant> last_arrival() override { return arrived; }
  void end(Reason reason) override {
    EXPECT_FALSE(ended) << "ended twice";
    ended = std::move(reason);
  }
  void log_in(LoginRequest request) override {
    logins.push_back(std::move(request));
    if (answer_login) session.logged_in(*answer_login);
  }
  std::int64_t wall_ms() override { return wall; }
  std::string secret() override { return "secret" + std::to_string(++secrets); }
  void told_error(std::string_view message) override { errors.emplace_back(message); }
  bus::Sender sender(const bus::Destination& to) override {
    senders.push_back(to);
    return {static_cast<std::uint32_t>(senders.size() - 1), generation};
  }
  bool publish(bus::Sender to, bus::MessagePtr& message, std::uint64_t token) override {
    if (to.generation != generation) return false;
    published.push_back({senders.at(to.slot), std::move(message), token});
    return true;
  }
  void declare_temporary(const bus::Destination& queue) override { temporary.push_back(queue); }
  void remove(const bus::Destination& queue, std::uint64_t token) override {
    removed.emplace_back(queue, token);
  }
  void subscribe(std::uint64_t number, bus::Subscription subscription,
                 std::uint64_t token) override {
    subscribed.push_back({number, std::move(subscription), token});
  }
  void unsubscribe(std::uint64_t number, std::uint64_t last_seen, std::uint64_t token) override {
    unsubscribed.push_back({number, last_seen, token});
  }
  void settle(const bus::Settlement& settlement, std::uint64_t token) override {
    static const char* const outcomes[] = {"accepted", "released", "unread", "rejected",
                                           "discarded"};
    settled.push_back(std::to_string(settlement.subscription) + ":" +
                      std::to_string(settlement.first) + "-" + std::to_string(settlement.last) +
                      " " + outcomes[static_cast<int>(settlement.outcome)]);
    settle_tokens.push_back(token);
  }
  void commit(bus::Transaction transaction, std::uint64_t token) override {
    committed.emplace_back(std::move(transaction), token);
  }

  // ---- what it saw
  // -------------------------------------------------------------------------------

  struct Published {
    bus::Destination to;
    bus::MessagePtr message;
    std::uint64_t token;
  };
  struct Subscribed {
    std::uint64_t number;
    bus::Subscription wanted;
    std::uint64_t token;
  };
  struct Unsubscribed {
    std::uint64_t number;
    std::uint64_t last_seen;
    std::uint64_t token;
    bool operator==(const Unsubscribed&) const = default;
  };
  Instant now{1h};
  std::int64_t wall = 1'000'000;
  int secrets = 0;
  std::vector<std::string> errors;
  SessionOptions options;
  std::string out;
  bool room = true;
  bool reading = true;
  bool plain = true;  ///< octets may be left unread
  int reads_from = 1;
  std::optional<Instant> arrived;  ///< when the kernel says that octets came
  std::optional<Reason> ended;
  std::optional<Result<std::string>> answer_login;
  std::vector<LoginRequest> logins;
  std::uint32_t generation = 1;  ///< of senders: raise it, and all of them are forgotten
  std::vector<bus::Destination> senders;
  std::vector<Published> published;
  std::vector<bus::Destination> temporary;
  std::vector<std::pair<bus::Destination, std::uint64_t>> removed;
  std::vector<Subscribed> subscribed;
  std::vector<Unsubscribed> unsubscribed;
  std::vector<std::string> settled;
  std::vector<std::uint64_t> settle_tokens;
  std::vector<std::pair<bus::Transaction, std::uint64_t>> committed;
  BrokerSession session;
};

inline std::vector<std::string> texts(const std::vector<bus::Property>& properties) {
  std::vector<std::string> out;
  for (const auto& [name, value] : properties) out.push_back(name + ":" + value);
  return out;
}

}  // namespace hawser::stomp::testing
