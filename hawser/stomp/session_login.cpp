// CONNECT and DISCONNECT: the version, the heart-beats, who it is, and the goodbye.
#include <hawser/stomp/session.hpp>

#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/escape.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::stomp {

void BrokerSession::connect(const FrameView& frame) {
  if (state_ != State::login) {
    fail_frame(frame, "already connected", "a connection has one CONNECT");
    return;
  }
  VersionSet versions = options_->versions;
  if (origin_.version)
    versions = versions.contains(*origin_.version) ? VersionSet{*origin_.version} : VersionSet{};
  const auto version = negotiate(frame.first("accept-version"), versions);
  if (!version) {
    HeadWriter head(*out_, Version::v1_0, Command::error);
    const auto list = versions.to_list();
    const std::string body = origin_.version
                                 ? fmt::format("the WebSocket's sub-protocol allows {} alone", list)
                                 : fmt::format("this broker speaks {}", list);
    head.add("version", list).add("content-type", "text/plain").add("message", "no common version");
    if (head.finish(body)) *out_ += body + std::string(frame_end);
    state_ = State::ended;
    port_->end(Reason::protocol_error("no common version"));
    return;
  }
  const auto theirs = parse_heartbeat(frame.first("heart-beat"));
  if (!theirs) {
    fail_frame(frame, "malformed heart-beat header", theirs.error().detail);
    return;
  }
  const auto value = [&](BytesView name) {
    const BytesView text = frame.first(name).value_or(BytesView{});
    // Only now it is known that the blanks of a 1.0 client are padding (P-19).
    return *version == Version::v1_0 ? trim_padding(text) : text;
  };
  const BytesView host = value("host");
  if (!host.empty() && !options_->hosts.empty() &&
      std::ranges::find(options_->hosts, host) == options_->hosts.end()) {
    fail_frame(frame, "unknown host", fmt::format("{} is not served here", quoted(host)));
    return;
  }
  const BytesView client_id = value("client-id");
  if (!within(frame, client_id, options_->subscription_id, "client-id")) return;
  version_ = *version;
  parser_.set_version(version_);
  // 1.0 knows no heart-beats: one that asks for them all the same gets them, one that does not has
  // sent none, and agree() answers none.
  heartbeats_ = agree(options_->heartbeat, *theirs);
  client_id_ = client_id;
  if (options_->access == nullptr) {
    user_ = value("login");
    write_connected();
    return;
  }
  LoginRequest request;
  request.login = value("login");
  request.passcode = value("passcode");
  if (request.login.empty()) {
    request.login = std::move(origin_.login);
    request.passcode = std::move(origin_.passcode);
  }
  request.host = host;
  request.client_id = client_id_;
  request.peer = origin_.peer;
  request.certificate_subject = origin_.certificate_subject;
  origin_.passcode.clear();
  state_ = State::checking;
  hold(hold_login);
  port_->log_in(std::move(request));
}

void BrokerSession::logged_in(Result<std::string> user) {
  if (state_ != State::checking) return;  // it took too long
  if (!user) {
    // The peer need not know whether it is the login or the passcode.
    close_code_ = 1008;
    fail("login refused", "unknown login or wrong passcode", {},
         Reason::custom("login refused: " + user.error().detail));
    return;
  }
  user_ = std::move(*user);
  write_connected();
  let_go(hold_login);
}

void BrokerSession::write_connected() {
  state_ = State::open;
  HeadWriter head(*out_, version_, Command::connected);
  head.add("version", to_string(version_))
      .add("heart-beat", options_->heartbeat.to_header())
      .add("session", number_)
      .add("server", options_->server);
  if (head.finish()) *out_ += frame_end;
}

void BrokerSession::disconnect(const FrameView& frame) {
  const auto receipt = receipt_of(frame);
  if (!receipt) return;
  if (!receipt->empty()) goodbye_ = std::string(*receipt);
  state_ = State::leaving;
  leave();
  // Its receipt says that every frame before it has been dealt with: their own receipts come first.
  if (owed_.open() == 0) say_goodbye();
}

void BrokerSession::say_goodbye() {
  if (goodbye_) write_receipt(*goodbye_);
  state_ = State::ended;
  port_->end(Reason::normal());
}

void BrokerSession::leave() {
  for (auto& [name, transaction] : transactions_) drop(transaction);
  transactions_.clear();
  waiting_.clear();
  // In the order in which they were made: a map of hashes has another one in every run.
  std::vector<std::uint64_t> numbers;
  for (const auto& [name, number] : by_name_) numbers.push_back(number);
  std::ranges::sort(numbers);
  for (const std::uint64_t number : numbers)
    port_->unsubscribe(number, find_subscription(number)->last_written, 0);
  subscriptions_.clear();
  last_found_ = nullptr;
  by_name_.clear();
}

}  // namespace hawser::stomp
