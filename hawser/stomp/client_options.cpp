// What is wrong with options, and the presets.
#include <hawser/stomp/client_options.hpp>

#include <hawser/net/client_options.hpp>
#include <hawser/net/websocket/options.hpp>

#include <utility>

namespace hawser::stomp {

hawser::ClientOptions ClientOptions::connection_options() const {
  hawser::ClientOptions options;
  options.targets = targets;
  options.framing = hawser::raw();
  options.transports = transports;
  options.connection = connection;
  options.dial = dial;
  options.backoff = backoff;
  options.attempts = attempts;
  options.mailbox = mailbox;
  return options;
}

std::vector<std::string> ClientOptions::faults() const {
  std::vector<std::string> faults = connection_options().faults();
  const auto at_least_one = [&faults](std::size_t value, const char* field) {
    if (value == 0) faults.push_back(std::string(field) + ": must be at least 1");
  };
  if (session.versions.empty()) faults.emplace_back("session.versions: must not be empty");
  const auto unsendable = [&faults](std::string_view text, const char* field) {
    if (text.find_first_of(std::string_view("\0\n", 2)) != std::string_view::npos)
      faults.push_back(std::string(field) + ": CONNECT cannot carry a NUL or a line feed");
  };
  unsendable(session.host, "session.host");
  unsendable(session.login.value_or(""), "session.login");
  unsendable(session.passcode.value_or(""), "session.passcode");
  for (const Header& header : session.connect_headers) {
    unsendable(header.name, "session.connect_headers");
    unsendable(header.value, "session.connect_headers");
  }
  at_least_one(outbox_messages, "outbox_messages");
  at_least_one(outbox_bytes, "outbox_bytes");
  at_least_one(confirm_window, "confirm_window");
  at_least_one(send_attempts, "send_attempts");
  at_least_one(unprocessed, "unprocessed");
  at_least_one(batch, "batch");
  if (confirm_window >= session.awaited_receipts)
    faults.emplace_back("confirm_window: must be below session.awaited_receipts");
  if (raw && !subscriptions.empty())
    faults.emplace_back("subscriptions: a raw client makes its own");
  for (const Subscription& subscription : subscriptions)
    if (auto good = check_subscription(dialect, subscription); !good)
      faults.push_back("subscriptions: " + good.error().detail);
  return faults;
}

Result<void> check_subscription(const Dialect& dialect, const Subscription& subscription) {
  const auto refused = [&](ErrorKind kind, std::string what) {
    return std::unexpected(
        Error{kind, 0, "SUBSCRIBE", subscription.destination + ": " + std::move(what)});
  };
  if (subscription.destination.empty())
    return refused(ErrorKind::invalid_argument, "a destination is needed");
  if (subscription.prefetch != 0 && dialect.prefetch.empty())
    return refused(ErrorKind::unsupported, dialect.name + " counts no prefetched messages");
  if (subscription.prefetch_bytes != 0 && dialect.prefetch_bytes.empty())
    return refused(ErrorKind::unsupported, dialect.name + " counts no prefetched octets");
  if (subscription.durable.empty()) return {};
  if (!dialect.has_durable)
    return refused(ErrorKind::unsupported, dialect.name + " has no durable subscriptions");
  if (dialect.durable.empty() && !subscription.id.empty() &&
      subscription.id != subscription.durable)
    return refused(ErrorKind::invalid_argument,
                   "a durable subscription's name is its id at " + dialect.name);
  return {};
}

ClientOptions rabbitmq(ClientOptions base, std::string virtual_host) {
  base.dialect = Dialect::rabbitmq();
  base.session.host = std::move(virtual_host);
  return base;
}

ClientOptions activemq(ClientOptions base, std::string client_id) {
  base.dialect = Dialect::activemq();
  if (!client_id.empty())
    base.session.connect_headers.push_back({"client-id", std::move(client_id)});
  return base;
}

ClientOptions artemis(ClientOptions base, std::string client_id) {
  base.dialect = Dialect::artemis();
  if (!client_id.empty())
    base.session.connect_headers.push_back({"client-id", std::move(client_id)});
  return base;
}

ClientOptions spring(ClientOptions base) {
  base.dialect = Dialect::spring();
  base.session.receipts = false;
  return base;
}

ClientOptions network_rail(ClientOptions base, std::string client_id, std::string name,
                           const std::vector<std::string>& topics) {
  base = activemq(std::move(base), std::move(client_id));
  for (const std::string& topic : topics) {
    Subscription subscription(topic, AckMode::client);
    subscription.durable = name + "-" + topic.substr(topic.rfind('/') + 1);
    base.subscriptions.push_back(std::move(subscription));
  }
  return base;
}

WebSocketClientOptions stomp_websocket(std::string path, VersionSet versions) {
  WebSocketClientOptions options;
  options.path = std::move(path);
  if (versions.contains(Version::v1_2)) options.subprotocols.emplace_back("v12.stomp");
  if (versions.contains(Version::v1_1)) options.subprotocols.emplace_back("v11.stomp");
  if (versions.contains(Version::v1_0)) options.subprotocols.emplace_back("v10.stomp");
  options.stream = true;
  return options;
}

}  // namespace hawser::stomp
