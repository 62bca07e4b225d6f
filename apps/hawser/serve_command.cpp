// `hawser serve`: a small server of length-prefixed packets, to try clients against.
#include "commands.hpp"
#include "common.hpp"

#include <hawser/net/server.hpp>

#include <fmt/format.h>

#include <memory>

namespace hawser::app {
namespace {

struct Ping {
  Next handle_packet(Packet packet) {
    if (packet == "ping") return send("pong");
    if (packet == "stop") return send("ok").then_stop();
    return keep();
  }
};

struct Echo {
  Next handle_packet(Packet packet) { return send(packet); }
};

struct ServeOptions {
  std::string listen = "127.0.0.1:7007";
  unsigned length_bytes = 2;
  std::uint64_t packet_limit = 0;
  SystemOptions system{};
  ServerOptions server{};
};

template <class H>
int serve(ServeOptions options, const std::string& name) {
  options.server.listen = options.listen;
  options.server.framing = length_prefixed(
      options.length_bytes, {.maximum = static_cast<std::size_t>(options.packet_limit)});
  options.server.drain_deadline = connections_drain(options.system);
  hold_signals();
  System system(options.system);
  if (auto started = system.start(server<H>(name, options.server)); !started)
    return print_failure("serve " + name, started.error().text());
  const auto status = server_status(system, name);
  if (!status) return print_failure("serve " + name, status.error().text());
  print_ready(system, {{"packet", status->address}});
  return system.run();
}

template <class H>
void add_kind(CLI::App& parent, const std::string& name, const std::string& description,
              const std::string& footer, const Chosen& chosen) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer(footer);
  const auto options = std::make_shared<ServeOptions>();
  const auto table = std::make_shared<OptionTable>(*command);
  table->add("listen", "ADDRESS", options->listen, "where to listen; port 0 takes a free one",
             read_listen_address(options->listen));
  table->add_choice("length-bytes", options->length_bytes,
                    {{"1", 1U}, {"2", 2U}, {"4", 4U}, {"8", 8U}},
                    "bytes of the length before each packet, the high one first");
  table->add_size("packet-limit", options->packet_limit,
                  "longest packet; 0B: 16MiB, or what the length can say");
  add_server_options(*table, "", options->server, ServerKind::packets);
  add_system_options(*table, options->system);
  command->callback(
      [options, table, name, chosen] { chosen([=] { return serve<H>(*options, name); }); });
}

}  // namespace

void add_serve_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* command =
      app.add_subcommand("serve", "A server of length-prefixed packets: ping or echo");
  command->require_subcommand(1);
  add_kind<Ping>(*command, "ping",
                 "Answers \"ping\" with \"pong\", and \"stop\" with \"ok\" and the end",
                 "Example, with Erlang as the client:\n"
                 "  hawser serve ping --listen 127.0.0.1:7007 --length-bytes 2\n"
                 "  {ok, S} = gen_tcp:connect({127,0,0,1}, 7007, [{packet, 2}]),\n"
                 "  gen_tcp:send(S, \"ping\").\n",
                 chosen);
  add_kind<Echo>(
      *command, "echo", "Sends every packet back",
      "Example:\n"
      "  hawser serve echo --listen 127.0.0.1:0 --packet-limit 64KiB --idle-timeout 5min\n",
      chosen);
}

}  // namespace hawser::app
