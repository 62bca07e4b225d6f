// Figures as the observer's JSON. Internal to the observer; pure, but for the walk over the
// supervision tree, which asks the processes.
#pragma once

#include <hawser/hub/detail/busiest.hpp>
#include <hawser/hub/figures.hpp>
#include <hawser/process/telemetry.hpp>
#include <hawser/process/trace.hpp>

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>

namespace hawser {
class System;
}

namespace hawser::hub::detail {

using Json = nlohmann::json;

/// Schedulers, stalls, servers and buses.
nlohmann::json figures_json(const Figures& figures);
nlohmann::json server_json(const ServerStatus& status);
nlohmann::json connections_json(const BusiestAnswer& answer);
std::string trace_line(const TraceEvent& event);
std::string telemetry_line(const TelemetryEvent& event);

/// The supervision tree from `top` down: at most `nodes` processes, children of a supervisor with
/// more than 200 only counted, and nobody waited for longer than half a second.
Task<std::shared_ptr<nlohmann::json>> tree_json(Pid top, std::size_t nodes = 2000);

/// The process that `text` ("<0.5.1>") names; no Pid when it is none of this System's.
Pid parse_pid(System& system, const std::string& text);

}  // namespace hawser::hub::detail
