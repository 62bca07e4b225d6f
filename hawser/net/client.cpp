// What clients of one kind share.
#include <hawser/base/faults.hpp>
#include <hawser/net/client.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace hawser::detail {

Result<std::shared_ptr<ConnectionGroup>> client_group(Scheduler& scheduler, const std::string& name,
                                                      const ClientOptions& options) {
  auto faults = options.faults();
  if (!faults.empty()) return std::unexpected(faulty(fmt::format("client '{}'", name), faults));
  ConnectionGroup::Parts parts{.name = name, .framing = options.framing};
  parts.options = options.connection;
  parts.counters = std::make_shared<ConnectionCounters>();
  parts.transports = options.transports;
  return std::make_shared<ConnectionGroup>(scheduler, Pid{}, std::move(parts));
}

}  // namespace hawser::detail
