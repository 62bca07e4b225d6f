// The framed-echo comparison: several servers under the same loads in the same run, interleaved,
// with medians, and its report as JSON, as a table and as a plot. Public; blocks the calling
// thread, and the servers die with that thread.
#pragma once

#include <bench/load/burst.hpp>
#include <bench/load/closed_loop.hpp>
#include <bench/load/idle.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::bench {

/// A program that echoes length-prefixed packets and prints a ready line (see parse_ready).
struct ServerSpec {
  std::string name{};
  std::string command{};    ///< as for split_command
  bool floor = false;       ///< a bare loop: ratios are taken to the cheapest of these
  Wire wire = Wire::plain;  ///< what it speaks
};

enum class Load : unsigned char {
  echo,   ///< closed loop; the figure is server CPU in microseconds per packet
  idle,   ///< silent connections; the figure is bytes of user memory per connection
  churn,  ///< accept, one packet, close; server CPU in microseconds per connection
  burst,  ///< 64 KiB on each of many idle connections; memory afterwards, in idle memories
};

struct Scenario {
  std::string name{};
  Load load = Load::echo;
  unsigned connections = 64;
  unsigned depth = 1;
};

/// "64x1", "1000x1", "64x16", "idle"; and "15000x1", "accept-close" and "burst", which
/// default_scenarios leaves out.
std::vector<Scenario> known_scenarios();
std::vector<Scenario> default_scenarios();

/// The servers found in `folder` under the names they are built with: "bare epoll", "bare io_uring"
/// (the floor), "asio", "libuv", "erlang",
/// "erlang otp". What is not there is left out.
std::vector<ServerSpec> servers_in(const std::string& folder);
/// The same of those that speak TLS: "bare TLS", the floor.
std::vector<ServerSpec> tls_servers_in(const std::string& folder);

struct EchoPlan {
  std::vector<ServerSpec> servers{};
  std::vector<Scenario> scenarios = default_scenarios();
  unsigned rounds = 5;         ///< each server is measured so often, in turn with the others
  Duration warmup = 500ms;     ///< before each measurement
  Duration duration = 2s;      ///< of each measurement
  std::size_t payload = 4;     ///< bytes in a packet
  unsigned idle_few = 2000;    ///< connections at the first point of "idle"
  unsigned idle_many = 15000;  ///< and at the second
  int server_cpu = 0;          ///< the CPU of the server under load; below 0: any
  int client_cpu = 1;          ///< the CPU of the load generator; below 0: any
  unsigned burst_connections = 10000;  ///< of "burst"
};

/// One server in one scenario.
struct ServerOutcome {
  std::string name{};
  bool floor = false;
  std::string error{};           ///< why there are no (or fewer) figures; empty when all went well
  std::vector<double> rounds{};  ///< the figure of each round, in the order measured
  double median = 0;             ///< of `rounds`
  double lowest = 0;
  double highest = 0;
  double ratio = 0;  ///< median to the cheapest floor's median; 0 for none, and for idle
  // Of all rounds together, where the scenario has them:
  double packets_per_second = 0;  ///< the median of the rounds
  double user_share = 0;          ///< of the CPU time, 0 to 1
  double switches_per_packet = 0;
  Histogram latency{};
  IdleResult idle{};    ///< of the last round
  BurstResult burst{};  ///< likewise
};

struct ScenarioOutcome {
  Scenario scenario{};
  std::vector<ServerOutcome> servers{};
};

/// What the figures depend on.
struct Machine {
  std::string kernel{};
  std::string processor{};
  int cpus = 0;
  std::string load_average{};  ///< at the start: above about 0.5 somebody else is at work
};

struct EchoReport {
  EchoPlan plan{};
  Machine machine{};
  std::vector<std::string> notes{};  ///< what was not as planned, such as pinning refused
  std::vector<ScenarioOutcome> scenarios{};
};

/// Is told what begins, one line each, without a line end.
using Progress = std::function<void(std::string_view)>;

/// Runs the plan. A server that does not come up, or fails under load, is in the report with its
/// error. Errors of the plan itself: invalid_argument (no servers or scenarios, two of one name,
/// zero rounds or duration).
Result<EchoReport> run_echo(const EchoPlan& plan, const Progress& progress);

/// All figures and settings. Durations are in the unit their key names.
std::string to_json(const EchoReport& report);
/// One table per scenario, for people.
std::string to_table(const EchoReport& report);
/// One panel of horizontal bars per scenario, each with its own scale.
std::string to_svg(const EchoReport& report);

/// "µs per message", "bytes per connection", "µs per connection", "× idle memory".
std::string_view unit_of(Load load) noexcept;

/// Fills median, lowest, highest and ratio from the rounds. run_echo has done it.
void summarize(ScenarioOutcome& outcome);

}  // namespace hawser::bench
