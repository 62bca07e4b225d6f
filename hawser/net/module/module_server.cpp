// The two child specs.
#include <hawser/net/module/module_server.hpp>

#include <hawser/net/module/module_handler.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/system.hpp>

#include <utility>

namespace hawser {

ChildSpec module_server(std::string name, ServerOptions options, std::shared_ptr<ModuleHost> host) {
  ChildSpec spec =
      detail::server_spec(std::move(name), std::move(options),
                          [host](const std::shared_ptr<ConnectionGroup>& group, NativeSocket socket,
                                 const SpawnOptions& spawn_options) {
                            return start_connection<ModuleHandler>(
                                group, std::move(socket), spawn_options, MakeModuleHandler(host));
                          });
  spec.start = [host, start = std::move(spec.start)](const StartContext& context) {
    host->prepare(context.scheduler.system().scheduler_count());
    return start(context);
  };
  return spec;
}

ChildSpec module_watch(const std::string& name, std::shared_ptr<ModuleHost> host) {
  ChildSpec spec;
  spec.id = name + "/module";
  spec.start = [id = spec.id, host = std::move(host)](const StartContext& context) -> Result<Pid> {
    auto spawned =
        spawn<ModuleWatch>(context.scheduler, {.name = id, .parent = context.parent}, host);
    if (!spawned) return std::unexpected(std::move(spawned.error()));
    return spawned->pid();
  };
  return spec;
}

Framing module_framing(const ModuleHost& host, Framing otherwise) {
  const ModuleUse first = host.current();
  if (first->code().framing == nullptr) return otherwise;
  Framing framing = first->code().framing();
  // A framing of its own is this version's code, in the hands of every connection to come.
  if (framing.is_custom()) first->pin();
  return framing;
}

}  // namespace hawser
