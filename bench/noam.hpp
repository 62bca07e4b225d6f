// What a Noam host costs: events to one and to many lemmas, and lemmas that only beat. Hosts are
// measured in turn, in one run. Public; blocks the calling thread, and the hosts die with it.
#pragma once

#include <bench/load/closed_loop.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::bench {

/// A program that serves Noam and prints a ready line with noam= and pid=.
struct NoamHost {
  std::string name{};
  std::string command{};  ///< as for split_command
};

struct NoamPlan {
  std::vector<NoamHost> hosts{};
  /// "1x1", "1x200" (speakers by hearers), "beats"; empty: all.
  std::vector<std::string> scenarios{};
  unsigned rounds = 5;
  Duration warmup = 500ms;
  Duration duration = 2s;
  unsigned window = 256;     ///< events in flight
  std::size_t payload = 14;  ///< bytes of an event's value
  unsigned lemmas = 5000;    ///< of "beats"
  Duration beat = 2s;
  Duration beats_duration = 10s;
  int server_cpu = 0;  ///< below 0: any
  int client_cpu = 1;
};

struct NoamOutcome {
  std::string host{};
  std::string scenario{};
  std::string error{};
  /// Of each round: host CPU in microseconds per event that a lemma has heard; of "beats" the part
  /// of one core, in percent.
  std::vector<double> figures{};
  std::vector<double> per_second{};  ///< events heard (answers) in a second
};

/// Errors: invalid_argument (an unknown scenario). What goes wrong with a host stands in its
/// outcome.
Result<std::vector<NoamOutcome>> run_noam(const NoamPlan& plan,
                                          const std::function<void(std::string_view)>& say);
std::string to_table(const std::vector<NoamOutcome>& outcomes);

}  // namespace hawser::bench
