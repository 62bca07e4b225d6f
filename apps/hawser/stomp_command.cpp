// `hawser stomp`: send one message to a STOMP broker, or print those that come.
#include "commands.hpp"
#include "common.hpp"
#include "stomp_errand.hpp"

#include <hawser/net/tls/tls_context.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/stomp/fault.hpp>
#include <hawser/stomp/url.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

namespace hawser::app {
namespace {

using stomp::Delivery;

struct StompOptions {
  stomp::Url url{};
  std::string destination{};
  std::vector<stomp::Header> headers{};
  std::string vhost{};
  std::string tls_ca{};
  bool tls_insecure = false;
  bool websocket_text = false;
  Duration connect_timeout = 10s;
  SystemOptions system{.schedulers = 1, .log_level = LogLevel::error};
  // send
  std::optional<std::string> body{};
  std::string content_type{};
  bool receipt = false;
  Duration receipt_timeout = 30s;
  // subscribe
  std::uint64_t count = 0;
  stomp::AckMode ack = stomp::AckMode::automatic;
  bool reconnect = false;
  bool raw = false;
};

std::string read_url(const std::string& text, stomp::Url& target) {
  auto url = stomp::Url::parse(text);
  if (!url) return url.error().detail;
  target = std::move(*url);
  return {};
}

void add_stomp_options(CLI::App& command, OptionTable& table, StompOptions& options) {
  // Errors of a positional would begin with its value, which may hold a passcode.
  command
      .add_option_function<std::string>(
          "URL",
          [&options](const std::string& text) {
            if (const std::string wrong = read_url(text, options.url); !wrong.empty())
              throw CLI::ValidationError("URL", wrong);
          },
          "stomp://[login[:passcode]@]host[:port][/vhost]; port 61613 if not given. Also\n"
          "stomp+tls://… (61614), ws://…/path, wss://…/path, unix:///path")
      ->required()
      ->type_name("");
  command.add_option("DESTINATION", options.destination, "/topic/NAME or /queue/NAME")
      ->required()
      ->type_name("");
  command
      .add_option_function<std::vector<std::string>>(
          "--header",
          [&options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              const std::size_t colon = text.find(':');
              if (colon == std::string::npos || colon == 0)
                throw CLI::ValidationError("--header", "'" + text + "' is not NAME:VALUE");
              options.headers.push_back({text.substr(0, colon), text.substr(colon + 1)});
            }
          },
          "a header of the frame; may be repeated")
      ->type_name("NAME:VALUE")
      ->allow_extra_args(false);
  table.add_text("vhost", "NAME", options.vhost,
                 "the virtual host; without it that of the URL, or the broker's host name");
  table.add_text("tls-ca", "FILE", options.tls_ca,
                 "trust these authorities (PEM) instead of the system's");
  command.add_flag("--tls-insecure", options.tls_insecure, "do not check the broker's certificate");
  command.add_flag("--websocket-text", options.websocket_text,
                   "send WebSocket messages as text; bodies must be UTF-8 then");
  table.add_duration("connect-timeout", options.connect_timeout,
                     "for the look-up of the host and the connection");
  table.add_choice("log-level", options.system.log_level,
                   {{"debug", LogLevel::debug},
                    {"info", LogLevel::info},
                    {"warning", LogLevel::warning},
                    {"error", LogLevel::error},
                    {"off", LogLevel::off}},
                   "log lines from this level on go to stderr");
}

/// What stands between the client and its socket, by the URL's scheme.
Result<TransportMakers> transports_for(const StompOptions& options) {
  TransportMakers transports;
  if (options.url.tls()) {
    TlsClientOptions tls;
    tls.trust.authority_file = options.tls_ca;
    tls.dangerously_skip_verification = options.tls_insecure;
    auto context = TlsClientContext::create(std::move(tls));
    if (!context) return std::unexpected(std::move(context.error()));
    transports.push_back(tls_client(*context));
  }
  if (options.url.websocket()) {
    WebSocketClientOptions websocket = stomp::stomp_websocket(options.url.path);
    websocket.text = options.websocket_text;
    if (auto valid = validate(websocket); !valid) return std::unexpected(std::move(valid.error()));
    transports.push_back(websocket_client(std::move(websocket)));
  }
  return transports;
}

StompErrand errand_for(const StompOptions& options) {
  StompErrand errand;
  errand.client.targets = TargetList(options.url.target());
  errand.client.dial.timeout = options.connect_timeout;
  errand.client.connection.handshake_timeout = options.connect_timeout;
  errand.client.session.host = options.vhost.empty() ? options.url.host_header() : options.vhost;
  errand.client.session.login = options.url.login;
  errand.client.session.passcode = options.url.passcode;
  errand.client.session.text = options.websocket_text && options.url.websocket();
  auto transports = transports_for(options);
  if (transports) {
    errand.client.transports = std::move(*transports);
  } else {
    errand.problem = transports.error().text();
  }
  // Not every user wants it where other users of the machine can read command lines.
  const char* passcode = std::getenv("HAWSER_STOMP_PASSCODE");
  if (errand.client.session.login && !errand.client.session.passcode && passcode != nullptr)
    errand.client.session.passcode = passcode;
  errand.destination = options.destination;
  errand.headers = options.headers;
  return errand;
}

int finish(System& system, StompErrand& errand, const StompOptions& options,
           std::string_view command) {
  if (errand.problem.empty() && run_errand(system, errand)) return success;
  return print_failure(command, fmt::format("{}: {}", options.url.text(), errand.problem));
}

// ---- send
// ----------------------------------------------------------------------------------------

Result<std::string> read_stdin(std::size_t limit) {
  std::string body;
  std::array<char, 65536> part{};
  while (const std::size_t size = std::fread(part.data(), 1, part.size(), stdin)) {
    if (body.size() + size > limit)
      return std::unexpected(
          Error{ErrorKind::overloaded, 0, "stdin", fmt::format("more than {}", size_text(limit))});
    body.append(part.data(), size);
  }
  if (std::ferror(stdin) != 0)
    return std::unexpected(system_error(errno, "stdin", "cannot be read"));
  return body;
}

int run_send(const StompOptions& options) {
  StompErrand errand = errand_for(options);
  if (options.body) {
    errand.body = Payload(*options.body);
  } else {
    auto body = read_stdin(errand.client.session.parser.limits.body);
    if (!body) return print_failure("stomp send", body.error().text());
    errand.body = Payload(*body);
  }
  if (!options.content_type.empty())
    errand.headers.insert(errand.headers.begin(), {"content-type", options.content_type});
  errand.receipt = options.receipt;
  errand.receipt_timeout = options.receipt_timeout;
  errand.client.session.receipt_timeout = options.receipt_timeout;
  hold_signals();
  System system(options.system);
  return finish(system, errand, options, "stomp send");
}

void add_send(CLI::App& parent, const Chosen& chosen) {
  CLI::App* command = parent.add_subcommand("send", "Sends one message");
  command->footer(
      "Ends with 0 when the broker has confirmed that it took the message. A passcode may stand "
      "in\n"
      "HAWSER_STOMP_PASSCODE instead of the URL.\n\n"
      "Examples:\n"
      "  hawser stomp send stomp://localhost /queue/jobs 'resize 17'\n"
      "  gzip -c report | hawser stomp send stomp://me@broker /queue/reports --content-type "
      "application/gzip\n"
      "  hawser stomp send stomp://localhost /topic/a hi --header colour:red --receipt\n");
  const auto options = std::make_shared<StompOptions>();
  const auto table = std::make_shared<OptionTable>(*command);
  add_stomp_options(*command, *table, *options);
  command->add_option("BODY", options->body, "the message; without it, all of stdin")
      ->type_name("");
  command->add_option("--content-type", options->content_type, "what the body is: text/plain")
      ->type_name("TYPE");
  command->add_flag("--receipt", options->receipt,
                    "ask for the message's own receipt: for a queue it says that it is kept");
  table->add_duration("receipt-timeout", options->receipt_timeout, "how long to wait for it");
  command->callback([=] { chosen([=] { return run_send(*options); }); });
}

// ---- subscribe
// -----------------------------------------------------------------------------------

/// Text as it is, but control characters as \xNN: a message must not drive a terminal.
std::string shown(BytesView body) {
  std::string out;
  for (const char c : body) {
    const auto octet = static_cast<unsigned char>(c);
    if ((octet < 0x20 && c != '\n' && c != '\t') || octet == 0x7f) {
      out += fmt::format("\\x{:02x}", octet);
    } else {
      out += c;
    }
  }
  return out;
}

std::string readable(const Delivery& message) {
  const stomp::Frame frame = message.to_frame();
  std::string out =
      fmt::format("{} ({} bytes)", shown(message.destination()), message.body().size());
  for (const auto& [name, value] : frame.headers) {
    if (name == "destination" || name == "subscription" || name == "content-length" ||
        name == "message-id" || name == "ack")
      continue;
    out += fmt::format(" {}:{}", shown(name), stomp::quoted(value, 200));
  }
  return out + "\n" + shown(message.body()) + "\n";
}

int run_subscribe(const StompOptions& options) {
  StompErrand errand = errand_for(options);
  errand.count = options.count;
  errand.ack = options.ack;
  errand.reconnect = options.reconnect;
  errand.on_message = [&](const Delivery& message) {
    const std::string text = options.raw ? std::string(message.body()) + "\n" : readable(message);
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
      return true;
    errand.problem = system_error(errno, "stdout", "cannot be written").text();
    return false;
  };
  hold_signals();
  System system(options.system);
  return finish(system, errand, options, "stomp subscribe");
}

void add_subscribe(CLI::App& parent, const Chosen& chosen) {
  CLI::App* command = parent.add_subcommand("subscribe", "Prints messages as they come");
  command->footer(
      "Ends with 0 after --count messages, or after SIGINT or SIGTERM. Control characters are "
      "shown\n"
      "as \\x1b, but for --raw.\n\n"
      "Examples:\n"
      "  hawser stomp subscribe stomp://localhost /topic/a\n"
      "  hawser stomp subscribe stomp://localhost /queue/jobs --count 1 --raw\n");
  const auto options = std::make_shared<StompOptions>();
  const auto table = std::make_shared<OptionTable>(*command);
  add_stomp_options(*command, *table, *options);
  table->add_number("count", options->count, 0, INT64_MAX, "end after so many messages; 0: go on");
  table->add_choice("ack", options->ack,
                    {{"auto", stomp::AckMode::automatic},
                     {"client", stomp::AckMode::client},
                     {"client-individual", stomp::AckMode::client_individual}},
                    "what counts as consumed; each message is acknowledged once printed");
  command->add_flag("--reconnect", options->reconnect,
                    "connect again, and subscribe again, when the connection is lost");
  command->add_flag("--raw", options->raw, "bodies only, exactly, a line end behind each");
  command->callback([=] { chosen([=] { return run_subscribe(*options); }); });
}

}  // namespace

void add_stomp_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* command = app.add_subcommand("stomp", "A STOMP client: send or subscribe");
  command->require_subcommand(1);
  add_send(*command, chosen);
  add_subscribe(*command, chosen);
}

}  // namespace hawser::app
