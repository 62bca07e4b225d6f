// `hawser hub`: the program in which peers of every protocol meet.
#include "commands.hpp"
#include "common.hpp"
#include "hub_options.hpp"
#include "noam_options.hpp"
#include "observation.hpp"

#include <hawser/hub/hub.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace hawser::app {
namespace {

using hub::HubOptions;

int run_hub(HubOptions options, const ObservationOptions& observation, const NoamChoice& noam) {
  options.stomp_server.drain_deadline = connections_drain(options.system);
  options.packet_server.drain_deadline = connections_drain(options.system);
  options.system.reload_on_hangup = true;
  hold_signals(true);
  System system(options.system);
  std::vector<std::pair<std::string, Address>> watching;
  if (auto watched = start_observation(system, observation, {options.broker.bus}, watching);
      !watched)
    return print_failure("hub", watched.error().text());
  const auto addresses = hub::start_hub(system, options);
  if (!addresses) return print_failure("hub", addresses.error().text());
  std::vector<std::pair<std::string, Address>> listening = addresses->list();
  if (noam.wanted()) {
    auto ready = start_noam(system, noam);
    if (!ready) return print_failure("hub", ready.error().text());
    listening.insert(listening.end(), ready->begin(), ready->end());
  }
  listening.insert(listening.end(), watching.begin(), watching.end());
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
      app.add_subcommand("hub", "A STOMP broker, a Noam host and a packet server in one program");
  command->footer(
      "When everything listens, one line on stdout says so:\n"
      "  ready stomp=127.0.0.1:61613 packet=127.0.0.1:7007 engine=uring pid=4242\n"
      "SIGTERM and SIGINT drain; a second one ends at once.\n\n"
      "Examples:\n"
      "  hawser hub\n"
      "  hawser hub --stomp '*:61613' --packet none --stomp-max-connections 50000\n"
      "  hawser hub --room lab\n"
      "  hawser hub --config /etc/hawser.toml --log-level debug\n");
  const auto options = std::make_shared<HubOptions>();
  const auto config = std::make_shared<std::string>();
  command
      ->add_option("--config", *config,
                   "a TOML file whose keys are the names of these options; the command line wins")
      ->type_name("FILE");
  const auto table = std::make_shared<OptionTable>(*command);
  const auto hash = std::make_shared<bool>(false);
  command->add_flag("--hash-password", *hash,
                    "reads a password, prints its hash for the configuration file, and ends");
  options->data.clear();
  // A sender that outruns its consumers waits, as with other brokers; docs/bus.md says why.
  options->bus.queue.overflow = bus::QueueOverflow::block;
  table->leave_table("users");
  table->leave_table("anonymous");
  add_hub_places(*table, *options);
  add_system_options(*table, options->system);
  const auto observation = std::make_shared<ObservationOptions>();
  add_observation_options(*table, *observation);
  add_stomp_options(*table, *options);
  table->begin_group("Packets");
  add_server_options(*table, "packet-", options->packet_server, ServerKind::packets);
  add_bus_options(*table, *options);
  const auto noam = std::make_shared<NoamChoice>();
  add_noam_options(*table, *noam);
  command->callback([=] {
    chosen([=] {
      if (*hash) return print_password_hash();
      if (!config->empty()) {
        options->users = *config;
        if (auto applied = table->apply_file(*config); !applied) {
          print_failure("hub", applied.error().text());
          return wrong_usage;
        }
      }
      if (!options->stomp && !options->stomp_tls && !options->stomp_websocket &&
          !options->stomp_websocket_tls && !options->packet && !noam->wanted()) {
        print_failure("hub", "nowhere to listen: stomp and packet are none, and so are the others");
        return wrong_usage;
      }
      return run_hub(*options, *observation, *noam);
    });
  });
}

}  // namespace hawser::app
