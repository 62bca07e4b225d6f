// `hawser hub`: the program in which peers of every protocol meet.
#include "commands.hpp"
#include "common.hpp"
#include "noam_options.hpp"

#include <hawser/hub/hub.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

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

void add_stomp_options(OptionTable& table, HubOptions& options) {
  stomp::SessionOptions& session = options.broker.session;
  stomp::Limits& limits = session.parser.limits;
  table.begin_group("STOMP");
  add_server_options(table, "stomp-", options.stomp_server, ServerKind::stream);
  table.add_duration("stomp-login-timeout", session.login_timeout,
                     "from connecting to a whole CONNECT");
  table.add("stomp-heart-beat", "TIME", duration_text(session.heartbeat.can_send),
            "offered in both directions; 0: none", read_heartbeat(session.heartbeat));
  table.add_number("stomp-subscriptions", session.subscriptions, 1, 1'000'000,
                   "at once on one connection");
  table.add_number("stomp-awaited-receipts", session.awaited_receipts, 1, 1'000'000,
                   "frames with a receipt under way on one connection");
  table.add_number("stomp-window", session.window, 1, 1'000'000,
                   "messages on their way from the bus to one subscription");
  table.add_size("stomp-body-limit", limits.body, "longest body of a frame");
  table.add_number("stomp-headers-limit", limits.headers, std::size_t{1}, std::size_t{1'000'000},
                   "header lines of a frame");
  table.add_size("stomp-header-line-limit", limits.header_line, "longest header line");
  table.add_size("stomp-header-block-limit", limits.header_block, "all header lines of a frame");
  table.add_size("stomp-login-frame-limit", limits.pre_login_frame, "longest frame before login");
}

void add_bus_options(OptionTable& table, bus::BusOptions& options) {
  table.begin_group("Topics and queues");
  table.add_number("destinations", options.destinations, 1, 100'000'000,
                   "topics and queues that may exist on one scheduler");
  table.add_number("queue-messages", options.queue.messages, 1, 1'000'000'000,
                   "kept in one queue until somebody takes them");
  table.add_size("queue-bytes", options.queue.bytes, "the same in bytes");
  table.add_choice(
      "queue-overflow", options.queue.overflow,
      {{"reject", bus::QueueOverflow::reject}, {"drop-oldest", bus::QueueOverflow::drop_oldest}},
      "what a full queue does: tell the sender, or make room");
  table.add_number("topic-messages", options.topic.waiting_messages, 0, 1'000'000'000,
                   "waiting for one slow subscriber of a topic");
  table.add_size("topic-bytes", options.topic.waiting_bytes, "the same in bytes");
  table.add_choice("slow-subscriber", options.topic.slow,
                   {{"end", bus::SlowSubscriber::end},
                    {"drop-oldest", bus::SlowSubscriber::drop_oldest},
                    {"drop-newest", bus::SlowSubscriber::drop_newest}},
                   "what happens to one beyond that");
}

int run_hub(HubOptions options, const NoamChoice& noam) {
  options.stomp_server.drain_deadline = connections_drain(options.system);
  options.packet_server.drain_deadline = connections_drain(options.system);
  hold_signals();
  System system(options.system);
  const auto addresses = hub::start_hub(system, options);
  if (!addresses) return print_failure("hub", addresses.error().text());
  std::vector<std::pair<std::string, Address>> listening;
  if (addresses->stomp) listening.emplace_back("stomp", *addresses->stomp);
  if (addresses->packet) listening.emplace_back("packet", *addresses->packet);
  if (noam.wanted()) {
    auto ready = start_noam(system, noam);
    if (!ready) return print_failure("hub", ready.error().text());
    listening.insert(listening.end(), ready->begin(), ready->end());
  }
  print_ready(system, listening);
  if (addresses->stomp && !addresses->stomp->is_unix()) {
    const std::string url = "stomp://" + addresses->stomp->text();
    print_hint(
        fmt::format("try: hawser stomp subscribe {} /topic/a\nand: hawser stomp send {} "
                    "/topic/a hello",
                    url, url));
  }
  return system.run();
}

}  // namespace

void add_hub_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* command =
      app.add_subcommand("hub", "A STOMP broker and a packet server in one program");
  command->footer(
      "When everything listens, one line on stdout says so:\n"
      "  ready stomp=127.0.0.1:61613 packet=127.0.0.1:7007 engine=uring pid=4242\n"
      "SIGTERM and SIGINT drain; a second one ends at once.\n\n"
      "Examples:\n"
      "  hawser hub\n"
      "  hawser hub --stomp '*:61613' --packet none --stomp-max-connections 50000\n"
      "  hawser hub --config /etc/hawser.toml --log-level debug\n");
  const auto options = std::make_shared<HubOptions>();
  const auto config = std::make_shared<std::string>();
  command
      ->add_option("--config", *config,
                   "a TOML file whose keys are the names of these options; the command line wins")
      ->type_name("FILE");
  const auto table = std::make_shared<OptionTable>(*command);
  table->add("stomp", "ADDRESS", options->stomp.value_or("none"),
             "where STOMP 1.0, 1.1 and 1.2 is spoken; none: nowhere",
             read_optional_address(options->stomp));
  table->add("packet", "ADDRESS", options->packet.value_or("none"),
             "where packets with a two-byte length come back, ping as pong; none: nowhere",
             read_optional_address(options->packet));
  add_system_options(*table, options->system);
  add_stomp_options(*table, *options);
  table->begin_group("Packets");
  add_server_options(*table, "packet-", options->packet_server, ServerKind::packets);
  add_bus_options(*table, options->bus);
  const auto noam = std::make_shared<NoamChoice>();
  add_noam_options(*table, *noam);
  command->callback([=] {
    chosen([=] {
      if (!config->empty()) {
        if (auto applied = table->apply_file(*config); !applied) {
          print_failure("hub", applied.error().text());
          return wrong_usage;
        }
      }
      if (!options->stomp && !options->packet && !noam->wanted()) {
        print_failure("hub", "nowhere to listen: both stomp and packet are none");
        return wrong_usage;
      }
      return run_hub(*options, *noam);
    });
  });
}

}  // namespace hawser::app
