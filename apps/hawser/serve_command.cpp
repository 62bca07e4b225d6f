// `hawser serve`: a small server of length-prefixed packets to try clients against, or one whose
// handler comes from a shared object.
#include "commands.hpp"
#include "common.hpp"
#include "observation.hpp"
#include "serve_sockets.hpp"
#include "serve_transports.hpp"

#include <hawser/net/module/module_server.hpp>
#include <hawser/net/server.hpp>

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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
  std::string handover{};
  unsigned length_bytes = 2;
  std::uint64_t packet_limit = 0;
  ServeTransports transports{};
  ObservationOptions observation{};
  bool keep_request = false;  // of a WebSocket: ping and echo never look at it
  SystemOptions system{};
  ServerOptions server{};
};

/// Runs the server that `start` makes until the program is asked to end.
int serve(ServeOptions options, const std::string& name,
          const std::function<Result<Pid>(System&, const ServerOptions&)>& start) {
  options.server.listen = options.listen;
  const auto limit = static_cast<std::size_t>(options.packet_limit);
  auto reloads = apply_transports(options.transports, limit, options.keep_request, options.server);
  if (!reloads) return print_failure("serve " + name, reloads.error().text());
  if (!reloads->empty()) options.system.reload_on_hangup = true;
  // Before any thread is there: it reads and removes environment variables.
  auto sockets = ServeSockets::gather(options.listen, options.handover, name);
  if (!sockets) return print_failure("serve " + name, sockets.error().text());
  options.server.sockets = sockets->exchange();
  options.server.drain_deadline = connections_drain(options.system);
  hold_signals(options.system.reload_on_hangup);
  System system(options.system);
  std::vector<std::pair<std::string, Address>> listening;
  if (auto watched = start_observation(system, options.observation, {}, listening); !watched)
    return print_failure("serve " + name, watched.error().text());
  if (auto started = start(system, options.server); !started)
    return print_failure("serve " + name, started.error().text());
  if (!reloads->empty())
    if (auto started = system.start(reloader(name, std::move(*reloads))); !started)
      return print_failure("serve " + name, started.error().text());
  const auto status = server_status(system, name);
  if (!status) return print_failure("serve " + name, status.error().text());
  if (auto serving = sockets->serving(system, system.log()); !serving)
    return print_failure("serve " + name, serving.error().text());
  listening.insert(listening.begin(), {"packet", status->address});
  print_ready(system, listening);
  return system.run();
}

Framing chosen_framing(const ServeOptions& options, unsigned length_bytes) {
  return length_prefixed(length_bytes, {.maximum = static_cast<std::size_t>(options.packet_limit)});
}

template <class H>
int serve_kind(ServeOptions options, const std::string& name) {
  options.server.framing = chosen_framing(options, options.length_bytes);
  return serve(std::move(options), name, [&](System& system, const ServerOptions& server_options) {
    return system.start(server<H>(name, server_options));
  });
}

int serve_module(ServeOptions options, const std::string& path, ModuleOptions module_options) {
  auto opened = ModuleHost::open(path, module_options);
  if (!opened) return print_failure("serve " + path, opened.error().text());
  const auto host = *opened;
  options.server.framing = options.length_bytes == 0
                               ? module_framing(*host, chosen_framing(options, 2))
                               : chosen_framing(options, options.length_bytes);
  options.system.reload_on_hangup = true;
  options.keep_request = true;
  const std::string name = host->current()->handler();
  return serve(std::move(options), name,
               [&](System& system, const ServerOptions& server_options) -> Result<Pid> {
                 auto started = system.start(module_server(name, server_options, host));
                 if (!started) return started;
                 return system.start(module_watch(name, host));
               });
}

/// What every server takes; `lengths` are the choices of --length-bytes.
void add_options(OptionTable& table, ServeOptions& options,
                 std::vector<std::pair<std::string, unsigned>> lengths) {
  table.add("listen", "ADDRESS", options.listen,
            "where to listen; port 0 takes a free one; systemd:NAME or fd:N inherits a socket",
            read_serve_address(options.listen));
  table.add_text("handover", "PATH", options.handover,
                 "take the listening socket over from the program that serves this Unix socket, "
                 "if there is one; then serve it for the next");
  table.add_choice("length-bytes", options.length_bytes, std::move(lengths),
                   "bytes of the length before each packet, the high one first");
  table.add_size("packet-limit", options.packet_limit,
                 "longest packet; 0B: 16MiB, or what the length can say");
  add_server_options(table, "", options.server, ServerKind::packets);
  add_transport_options(table, options.transports);
  table.add_flag("suspended", options.server.start_suspended,
                 "bound, but nobody is accepted until hawser observe --resume");
  add_system_options(table, options.system);
  add_observation_options(table, options.observation);
}

template <class H>
void add_kind(CLI::App& parent, const std::string& name, const std::string& description,
              const std::string& footer, const Chosen& chosen) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer(footer);
  const auto options = std::make_shared<ServeOptions>();
  const auto table = std::make_shared<OptionTable>(*command);
  add_options(*table, *options, {{"1", 1U}, {"2", 2U}, {"4", 4U}, {"8", 8U}});
  command->callback(
      [options, table, name, chosen] { chosen([=] { return serve_kind<H>(*options, name); }); });
}

void add_module(CLI::App& command, const Chosen& chosen) {
  const auto options = std::make_shared<ServeOptions>();
  const auto module = std::make_shared<ModuleOptions>();
  const auto path = std::make_shared<std::string>();
  const auto table = std::make_shared<OptionTable>(command);
  options->length_bytes = 0;
  const auto* file =
      command.add_option("FILE.so", *path, "a handler in a shared object (docs/code_change.md)");
  add_options(*table, *options, {{"module", 0U}, {"1", 1U}, {"2", 2U}, {"4", 4U}, {"8", 8U}});
  table->begin_group("The shared object");
  table->add_duration("look-interval", module->poll,
                      "how often the file is looked at; 0: only upon SIGHUP");
  table->add_duration("task-limit", module->task_limit,
                      "a connection whose tasks run longer keeps its version");
  table->add_size("file-limit", module->size_limit, "longest file");
  command.callback([options, module, path, table, file, chosen, &command] {
    if (!command.get_subcommands().empty()) {
      // They would be left unheeded in silence.
      for (const auto* option : command.get_options())
        if (option->count() > 0)
          throw CLI::ValidationError(
              option->get_name(), "stands behind " + command.get_subcommands().front()->get_name());
      return;
    }
    if (file->empty()) throw CLI::RequiredError("ping, echo or FILE.so");
    chosen([=] { return serve_module(*options, *path, *module); });
  });
}

}  // namespace

void add_serve_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "serve", "A server of packets: ping, echo, or what a shared object makes of them");
  command->require_subcommand(0, 1);
  command->footer(
      "Example, of a handler that is replaced while its connections go on:\n"
      "  hawser serve ./handler.so --listen 127.0.0.1:7007\n"
      "  mv handler-2.so handler.so     (it looks each second; kill -HUP PID makes it look now)\n\n"
      "SIGHUP has certificates and keys read again: new handshakes take them. What is wrong with "
      "a\n"
      "file is logged, and the old ones stay.\n");
  add_module(*command, chosen);
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
