// One test in many worlds: runs it with seed after seed and says how to replay the one that failed.
// Public; needs no test framework.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/sim/world.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace hawser::sim {

struct SeedOptions {
  std::uint64_t first = 1;  ///< the seeds are first, first + 1, …
  WorldOptions world{};
  /// Asked after each seed: has the test framework noted a failure that neither threw nor was
  /// returned? With GoogleTest: [] { return testing::Test::HasFailure(); }
  std::function<bool()> has_failed;
  /// What to add to the replay command, such as "--gtest_filter=Feed.SurvivesCuts".
  std::string arguments;
  /// How much of the trace a replay shows when it fails.
  std::size_t trace_lines = 10'000;
};

/// What came of it; true when every seed passed.
struct SeedReport {
  unsigned runs = 0;
  bool failed = false;
  std::uint64_t seed = 0;  ///< the one that failed
  std::string reason;      ///< what was thrown or returned
  explicit operator bool() const noexcept { return !failed; }
};

using SeedTest = std::function<Result<void>(World&)>;

/// See for_each_seed; for tests that return Result<void>.
SeedReport run_seeds(unsigned count, const SeedTest& test, const SeedOptions& options);

/// Calls `test` with `count` fresh worlds and stops at the first failure: an exception, an Error
/// returned, `false` returned, or has_failed(). That one is told on stderr with its seed, the
/// world's faults and the command that replays it.
///
/// Two variables of the environment change the choice: HAWSER_SEED=N runs seed N alone and, if it
/// fails, prints the end of its trace; HAWSER_SEEDS=N runs N seeds instead of `count`.
template <class Test>
SeedReport for_each_seed(unsigned count, Test&& test, const SeedOptions& options = {}) {
  using Answer = std::invoke_result_t<Test&, World&>;
  return run_seeds(
      count,
      [&test](World& world) -> Result<void> {
        if constexpr (std::is_void_v<Answer>) {
          test(world);
          return {};
        } else if constexpr (std::is_same_v<Answer, bool>) {
          if (test(world)) return {};
          return std::unexpected(Error{ErrorKind::failed, 0, "test", "returned false"});
        } else {
          return test(world);
        }
      },
      options);
}

}  // namespace hawser::sim
