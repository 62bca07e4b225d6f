// The observer's socket and the metrics page.
#include "observation.hpp"

#include "common.hpp"

#include <hawser/hub/metrics.hpp>
#include <hawser/hub/observer.hpp>

#include <unistd.h>

namespace hawser::app {
namespace {

Result<Address> start_observer_at(System& system, const std::string& path,
                                  const std::vector<std::string>& buses) {
  hub::ObserverOptions options;
  options.listen = path.starts_with("unix:") ? path : "unix:" + path;
  options.buses = buses;
  options.version = HAWSER_VERSION;
  return hub::start_observer(system, options);
}

Result<Address> start_default_observer(System& system, const std::vector<std::string>& buses) {
  const auto path = hub::default_observer_path(::getpid());
  if (!path) return std::unexpected(path.error());
  return start_observer_at(system, *path, buses);
}

}  // namespace

void add_observation_options(OptionTable& table, ObservationOptions& options) {
  table.add("observe", "PATH", options.observe,
            "socket for hawser observe, for this user alone; auto: in $XDG_RUNTIME_DIR/hawser "
            "or /tmp/hawser-UID; off: none",
            [&options](std::string_view text) -> std::string {
              if (text.empty()) return "a path, auto or off";
              options.observe = text;
              return {};
            });
  table.add("metrics", "ADDRESS", options.metrics,
            "where Prometheus finds /metrics by HTTP; off: nowhere",
            [&options](std::string_view text) -> std::string {
              if (text == "off") {
                options.metrics = text;
                return {};
              }
              return read_listen_address(options.metrics)(text);
            });
}

Result<void> start_observation(System& system, const ObservationOptions& options,
                               const std::vector<std::string>& buses,
                               std::vector<std::pair<std::string, Address>>& listening) {
  if (options.observe == "auto") {
    if (const auto address = start_default_observer(system, buses)) {
      listening.emplace_back("observe", *address);
    } else {
      system.log().warning("observer", "not there: " + address.error().text());
    }
  } else if (options.observe != "off") {
    auto address = start_observer_at(system, options.observe, buses);
    if (!address) return std::unexpected(std::move(address.error()));
    listening.emplace_back("observe", std::move(*address));
  }
  if (options.metrics != "off") {
    hub::MetricsOptions metrics;
    metrics.listen = options.metrics;
    metrics.buses = buses;
    metrics.version = HAWSER_VERSION;
    auto address = hub::start_metrics(system, metrics);
    if (!address) return std::unexpected(std::move(address.error()));
    listening.emplace_back("metrics", std::move(*address));
  }
  return {};
}

}  // namespace hawser::app
