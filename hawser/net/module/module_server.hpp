// A server whose handler comes from a shared object and can be replaced while it runs. Public.
//
//   auto host = ModuleHost::open("./handler.so");
//   SystemOptions options;
//   options.reload_on_hangup = true;
//   System system(options);
//   system.start(module_server("counter", {.listen = "127.0.0.1:7007"}, *host));
//   system.start(module_watch("counter", *host));
//
// The program must have hawser's functions for the module to find: link it with
// hawser_exports (CMake: hawser_exports_to_modules(TARGET)). See docs/code_change.md.
#pragma once

#include <hawser/net/module/module_host.hpp>
#include <hawser/net/module/module_watch.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/child_spec.hpp>

#include <memory>
#include <string>

namespace hawser {

/// The child spec of a server whose connections are handled by the host's current version; errors
/// as server(). One host serves one server.
ChildSpec module_server(std::string name, ServerOptions options, std::shared_ptr<ModuleHost> host);

/// The child spec of the process that watches the host's file, registered as NAME/module. To be
/// started after the server.
ChildSpec module_watch(const std::string& name, std::shared_ptr<ModuleHost> host);

/// The framing that the host's first version asks for; `otherwise` when it asks for none.
Framing module_framing(const ModuleHost& host, Framing otherwise);

}  // namespace hawser
