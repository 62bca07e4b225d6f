// What the STOMP clients of one name share.
#include <hawser/stomp/client.hpp>

#include <hawser/base/faults.hpp>
#include <hawser/net/client.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace hawser::stomp::detail {

Result<std::shared_ptr<ConnectionGroup>> client_group(Scheduler& scheduler, const std::string& name,
                                                      const ClientOptions& options) {
  auto faults = options.faults();
  if (!faults.empty()) return std::unexpected(faulty(fmt::format("client '{}'", name), faults));
  return hawser::detail::client_group(scheduler, name, options.connection_options());
}

}  // namespace hawser::stomp::detail
