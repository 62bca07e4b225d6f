// The observer is a server like any other; what is its own is who may come in, and where its
// socket lies.
#include <hawser/hub/observer.hpp>

#include <hawser/engine/inherited_sockets.hpp>
#include <hawser/hub/detail/observer_session.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

namespace hawser::hub {
namespace {

std::unexpected<Error> wrong(ErrorKind kind, std::string what) {
  return std::unexpected(Error{kind, 0, "observe", std::move(what)});
}

/// A folder in /tmp could have been put there by anybody.
Result<void> own_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(system_error(errno, "observe", "cannot make " + folder));
  struct stat found{};
  if (::lstat(folder.c_str(), &found) != 0)
    return std::unexpected(system_error(errno, "observe", folder));
  if (!S_ISDIR(found.st_mode) || found.st_uid != effective_user() || (found.st_mode & 077) != 0)
    return wrong(ErrorKind::refused,
                 fmt::format("{} is not a folder of this user alone (mode 0700); mend it or choose "
                             "another path",
                             folder));
  return {};
}

}  // namespace

std::string observer_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/') return std::string(runtime) + "/hawser";
  return fmt::format("/tmp/hawser-{}", effective_user());
}

Result<std::string> default_observer_path(int process) {
  const std::string folder = observer_folder();
  if (auto own = own_folder(folder); !own) return std::unexpected(std::move(own.error()));
  return fmt::format("{}/{}.sock", folder, process);
}

Result<Address> start_observer(System& system, const ObserverOptions& options) {
  const auto address = Address::parse(options.listen);
  if (!address) return std::unexpected(address.error());
  if (!address->is_unix())
    return wrong(
        ErrorKind::invalid_argument,
        fmt::format("'{}' is no Unix socket (unix:/path): whoever could connect could look "
                    "at everything",
                    options.listen));
  ServerOptions server_options;
  server_options.listen = options.listen;
  server_options.unix_mode = 0600;
  server_options.framing = length_prefixed(4, {.maximum = detail::request_limit});
  server_options.max_connections = options.max_observers;
  // Who waited would see nothing and not know why.
  server_options.at_limit = AtLimit::close;
  server_options.drain_deadline = 1s;
  // What it is told of traced connections, which may be busy ones.
  server_options.mailbox = {.messages = 10'000, .overflow = MailboxOverflow::reject};
  Instant now;
  if (auto asked = system.run_on(0, [&now](Scheduler& scheduler) { now = scheduler.now(); });
      !asked)
    return std::unexpected(std::move(asked.error()));
  const auto state = std::make_shared<const detail::ObserverState>(options, now);
  const auto started =
      system.start(server<detail::ObserverSession>("observer", server_options, state));
  if (!started) return std::unexpected(started.error());
  auto status = server_status(system, "observer");
  if (!status) return std::unexpected(std::move(status.error()));
  return status->address;
}

}  // namespace hawser::hub
