// Names, readers and defaults of the hub's options.
#include "hub_options.hpp"

#include "commands.hpp"
#include "common.hpp"

#include <hawser/hub/password_hash.hpp>

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

namespace hawser::app {
namespace {

using hub::HubOptions;

/// An address to listen on, or "none".
OptionTable::Read read_optional_address(std::optional<std::string>& target) {
  return [&target](std::string_view text) -> std::string {
    if (text == "none") {
      target.reset();
      return {};
    }
    std::string address;
    std::string wrong = read_listen_address(address)(text);
    if (wrong.empty()) target = std::move(address);
    return wrong;
  };
}

/// Heart-beats are counted in milliseconds on the wire.
OptionTable::Read read_heartbeat(stomp::Heartbeat& target) {
  return [&target](std::string_view text) -> std::string {
    const auto duration = parse_duration(text);
    if (!duration) return duration.error().text();
    const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
    if (interval != *duration || interval.count() > UINT32_MAX)
      return fmt::format("'{}' is no number of milliseconds up to {}ms", text, UINT32_MAX);
    target = {interval, interval};
    return {};
  };
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma != 0) list.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return list;
}

OptionTable::Read read_list(std::vector<std::string>& target) {
  return [&target](std::string_view text) -> std::string {
    target = split_list(text);
    return {};
  };
}

std::string read_leniency(std::string_view text, hub::StompLeniency& lenient) {
  for (const std::string& word : split_list(text)) {
    if (word == "none") continue;
    if (word == "unknown-acks") {
      lenient.session.unknown_acks = true;
    } else if (word == "ack-modes") {
      lenient.session.unknown_ack_modes = true;
    } else if (word == "missing-ids") {
      lenient.session.missing_ids = true;
    } else if (word == "nack-1.0") {
      lenient.session.nack_in_1_0 = true;
    } else if (word == "escapes") {
      lenient.escapes = true;
    } else if (word == "sub-protocols") {
      lenient.any_subprotocol = true;
    } else {
      return fmt::format(
          "'{}' is none of unknown-acks, ack-modes, missing-ids, nack-1.0, escapes, "
          "sub-protocols, none",
          word);
    }
  }
  return {};
}

/// Of all STOMP servers.
OptionTable::Read read_common_leniency(HubOptions& options) {
  return [&options](std::string_view text) -> std::string {
    hub::StompLeniency lenient;
    std::string wrong = read_leniency(text, lenient);
    options.broker.session.lenient = lenient.session;
    if (lenient.escapes)
      options.broker.session.parser.undefined_escapes = stomp::UndefinedEscape::pass;
    options.websocket.any_subprotocol = lenient.any_subprotocol;
    return wrong;
  };
}

/// Of one of them.
OptionTable::Read read_leniency_of(HubOptions& options, std::string server) {
  return [&options, server](std::string_view text) -> std::string {
    return read_leniency(text, options.lenient[server] = {});
  };
}

}  // namespace

void add_hub_places(OptionTable& table, HubOptions& options) {
  table.add("stomp", "ADDRESS", options.stomp.value_or("none"),
            "where STOMP 1.0, 1.1 and 1.2 is spoken; none: nowhere",
            read_optional_address(options.stomp));
  table.add("stomp-tls", "ADDRESS", "none", "the same over TLS",
            read_optional_address(options.stomp_tls));
  table.add("stomp-websocket", "ADDRESS", "none", "the same over WebSocket",
            read_optional_address(options.stomp_websocket));
  table.add("stomp-websocket-tls", "ADDRESS", "none", "the same over WebSocket over TLS",
            read_optional_address(options.stomp_websocket_tls));
  table.add("packet", "ADDRESS", options.packet.value_or("none"),
            "where packets with a two-byte length come back, ping as pong; none: nowhere",
            read_optional_address(options.packet));
  table.add_text("tls-certificate", "FILE", options.tls.certificate,
                 "PEM certificate with its intermediates, for the servers over TLS");
  table.add_text("tls-key", "FILE", options.tls.key, "PEM private key of the certificate");
  table.add_text("tls-client-ca", "FILE", options.tls.client_ca,
                 "clients must show a certificate that one of these authorities has signed");
  table.add("data", "FOLDER", "",
            "where durable queues are kept, by default in the user's state folder; :memory: keeps "
            "nothing",
            [&options](std::string_view text) {
              options.data = text;
              return std::string{};
            });
}

void add_stomp_options(OptionTable& table, HubOptions& options) {
  stomp::SessionOptions& session = options.broker.session;
  stomp::Limits& limits = session.parser.limits;
  table.begin_group("STOMP");
  add_server_options(table, "stomp-", options.stomp_server, ServerKind::stream);
  table.add_duration("stomp-login-timeout", session.login_timeout, "from connecting to CONNECTED");
  table.add("stomp-heart-beat", "TIME", duration_text(session.heartbeat.can_send),
            "offered in both directions; 0: none", read_heartbeat(session.heartbeat));
  table.add_duration("stomp-idle-timeout", session.idle_timeout,
                     "of clients without heart-beats, without a byte from them; 0: none");
  table.add_number("stomp-subscriptions", session.subscriptions, 1, 1'000'000,
                   "at once on one connection");
  table.add_number("stomp-prefetch", session.prefetch, 1, 1'000'000,
                   "unsettled messages of one subscription, at most and by default");
  table.add_size("stomp-prefetch-bytes", session.prefetch_bytes, "the same in bytes");
  table.add_number("stomp-transactions", session.transactions, 1, 1'000'000,
                   "open at once on one connection");
  table.add_number("stomp-transaction-actions", session.transaction_actions, 1, 1'000'000,
                   "SENDs, ACKs and NACKs in one transaction");
  table.add_size("stomp-transaction-bytes", session.transaction_bytes,
                 "messages in the open transactions of one connection");
  table.add_number("stomp-awaited-receipts", session.awaited_receipts, 1, 1'000'000,
                   "frames with a receipt under way on one connection; then it is not read");
  table.add_size("stomp-body-limit", limits.body, "longest body of a frame");
  table.add_number("stomp-headers-limit", limits.headers, std::size_t{1}, std::size_t{1'000'000},
                   "header lines of a frame");
  table.add_size("stomp-header-line-limit", limits.header_line, "longest header line");
  table.add_size("stomp-header-block-limit", limits.header_block, "all header lines of a frame");
  table.add_size("stomp-login-frame-limit", limits.pre_login_frame, "longest frame before login");
  table.add("stomp-hosts", "NAME,…", "", "the virtual hosts that CONNECT may name; any by default",
            read_list(session.hosts));
  table.add("stomp-lenient", "WORD,…", "",
            "what is let pass: unknown-acks, ack-modes, missing-ids, nack-1.0, escapes, "
            "sub-protocols",
            read_common_leniency(options));
  for (const char* server : {"stomp-tls", "stomp-websocket", "stomp-websocket-tls"})
    table.add(fmt::format("{}-lenient", server), "WORD,…", "",
              fmt::format("the same for {} alone, instead; none: nothing", server),
              read_leniency_of(options, server));
  table.add_text("stomp-websocket-path", "PATH", options.websocket.path,
                 "where WebSocket clients knock");
  table.add("stomp-websocket-origins", "ORIGIN,…", "",
            "web pages of these origins may connect, and nobody else; any by default",
            read_list(options.websocket.origins));
  table.add_choice("stomp-websocket-messages", options.broker.websocket_text,
                   {{"binary", false}, {"text", true}},
                   "what WebSocket clients get; what is not UTF-8 is always binary");
  table.add_choice("stomp-websocket-login", options.broker.websocket_login,
                   {{"connect", false}, {"http", true}},
                   "http: the request's Basic credentials count where CONNECT has none");
}

void add_bus_options(OptionTable& table, HubOptions& hub_options) {
  bus::BusOptions& options = hub_options.bus;
  const std::vector<std::pair<std::string, bus::QueueOverflow>> overflows{
      {"reject", bus::QueueOverflow::reject},
      {"drop-oldest", bus::QueueOverflow::drop_oldest},
      {"dead-letter", bus::QueueOverflow::dead_letter},
      {"block", bus::QueueOverflow::block}};
  table.begin_group("Topics and queues");
  table.add_number("destinations", options.destinations, 1, 100'000'000,
                   "topics and queues that may exist on one scheduler");
  table.add_number("queue-messages", options.queue.messages, 1, 1'000'000'000,
                   "kept in one queue until they are settled");
  table.add_size("queue-bytes", options.queue.bytes, "the same in bytes");
  table.add_choice("queue-overflow", options.queue.overflow, overflows,
                   "what a full queue does: tell the sender, make room, or let the sender wait");
  table.add_choice("durable-overflow", hub_options.durable_overflow, overflows,
                   "what a full durable subscription does; reject and block concern all who send "
                   "to its topic");
  table.add_number("queue-deliveries", options.queue.deliveries, 1, 1'000'000,
                   "tries before a message goes to the dead-letter queue");
  table.add_duration("queue-requeue-delay", options.queue.requeue_delay,
                     "what was given back waits so long");
  table.add_duration("queue-message-ttl", options.queue.message_ttl,
                     "no message lives longer; 0: as it says itself");
  table.add_number("topic-messages", options.topic.waiting_messages, 0, 1'000'000'000,
                   "waiting for one slow subscriber of a topic");
  table.add_size("topic-bytes", options.topic.waiting_bytes, "the same in bytes");
  table.add_choice("slow-subscriber", options.topic.slow,
                   {{"end", bus::SlowSubscriber::end},
                    {"drop-oldest", bus::SlowSubscriber::drop_oldest},
                    {"drop-newest", bus::SlowSubscriber::drop_newest},
                    {"block", bus::SlowSubscriber::block}},
                   "what happens to one beyond that");
}

int print_password_hash() {
  const bool asks = isatty(STDIN_FILENO) == 1;
  termios before{};
  if (asks) {
    fmt::print(stderr, "password: ");
    tcgetattr(STDIN_FILENO, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  std::string password;
  const bool read = static_cast<bool>(std::getline(std::cin, password));
  if (asks) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fmt::print(stderr, "\n");
  }
  if (!read || password.empty()) return print_failure("hub", "no password was given");
  const auto hash = hub::hash_password(password);
  if (!hash) return print_failure("hub", hash.error().text());
  fmt::print("{}\n", *hash);
  return 0;
}

}  // namespace hawser::app
