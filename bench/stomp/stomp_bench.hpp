// The comparison of brokers: a hub of ours and others under the same loads in the same run, taking
// turns, with medians and with the bars that ours is held to. Public; blocks the calling thread,
// which must be the only one.
#pragma once

#include <bench/stomp/broker.hpp>
#include <bench/stomp/flow.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::bench {

/// One load. What each does is in docs/benchmarks.md.
struct StompScenario {
  std::string name{};
  std::string title{};
};
/// "transient", "fan-out", "persistent", "stored", "routing", "slow", "idle".
std::vector<StompScenario> stomp_scenarios();

struct StompPlan {
  std::string hub{};                     ///< command of our hub without its addresses and its data
  std::vector<Broker> others{};          ///< running already
  std::vector<std::string> scenarios{};  ///< empty: all
  unsigned rounds = 5;
  Duration warmup = 500ms;
  Duration duration = 2s;
  std::size_t body = 100;
  std::uint64_t window = 8192;       ///< messages under way, transient
  std::uint64_t receipts = 256;      ///< messages not yet confirmed, persistent
  unsigned subscribers = 100;        ///< of fan-out
  unsigned topics = 10'000;          ///< of routing
  unsigned subscriptions = 100'000;  ///< likewise; a tenth are wildcards
  unsigned idle = 10'000;            ///< connections
  Duration heart_beat = 10s;         ///< of idle
  std::string folder = "/tmp";       ///< where the hub's store and the flushes lie
};

/// One broker in one variant of a scenario.
struct StompRow {
  std::string broker{};
  bool own = false;
  std::string variant{};  ///< "" or what differs, such as "with a slow consumer"
  std::string error{};
  std::vector<double> rates{};   ///< a second: messages; deliveries in fan-out
  std::vector<double> cpu{};     ///< µs of the broker for each of those; idle: share of a core, %
  std::vector<double> client{};  ///< µs of the generator for each
  double memory = 0;             ///< what the broker grew by at most, MB
  double rate() const;           ///< medians
  double cost() const;
};

/// A figure and what it must be.
struct StompBar {
  std::string scenario{};
  std::string what{};
  double measured = 0;
  double bound = 0;
  bool at_most = true;
  std::string note{};
  bool met() const noexcept { return at_most ? measured <= bound : measured >= bound; }
};

struct StompOutcome {
  StompScenario scenario{};
  std::vector<StompRow> rows{};
  std::vector<std::string> notes{};
};

struct StompReport {
  StompPlan plan{};
  std::string machine{};
  std::vector<std::string> notes{};
  std::vector<StompOutcome> outcomes{};
  std::vector<StompBar> bars{};
  /// All bars are met, and no hub of ours has failed; others may.
  bool good() const noexcept;
};

using Progress = std::function<void(std::string_view)>;

/// Errors of the plan: invalid_argument (an unknown scenario, zero rounds). What goes wrong with a
/// broker is in its row.
Result<StompReport> run_stomp(const StompPlan& plan, const Progress& progress);

/// appends of 4 KiB a second that the disk under `folder` makes safe one by one.
Result<double> flush_rate(const std::string& folder, Duration length);

std::string stomp_json(const StompReport& report);
std::string stomp_table(const StompReport& report);
std::string stomp_svg(const StompReport& report);

}  // namespace hawser::bench
