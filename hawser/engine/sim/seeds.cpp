// The run over seeds and the report of the one that failed.
#include <hawser/engine/sim/seeds.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>

namespace hawser::sim {

namespace {

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, number);
  if (error == std::errc{} && stopped == end) return number;
  fmt::print(stderr, "hawser: {}=\"{}\" is no number and is left aside\n", name, text);
  return std::nullopt;
}

}  // namespace

SeedReport run_seeds(unsigned count, const SeedTest& test, const SeedOptions& options) {
  const auto only = number_from_environment("HAWSER_SEED");
  if (const auto chosen = number_from_environment("HAWSER_SEEDS")) {
    count = static_cast<unsigned>(std::min<std::uint64_t>(*chosen, 1'000'000'000));
  }
  if (only) count = 1;
  SeedReport report;
  for (unsigned run = 0; run < count; ++run) {
    const std::uint64_t seed = only ? *only : options.first + run;
    World world(seed, options.world);
    if (only) world.trace().keep(options.trace_lines);
    ++report.runs;
    std::string reason;
    try {
      if (const Result<void> result = test(world); !result) reason = result.error().text();
    } catch (const std::exception& error) {
      reason = fmt::format("threw: {}", error.what());
    } catch (...) {
      reason = "threw something that is no std::exception";
    }
    if (reason.empty() && options.has_failed && options.has_failed()) reason = "has failed";
    if (reason.empty()) continue;
    report.failed = true;
    report.seed = seed;
    report.reason = reason;
    fmt::print(stderr, "seed {}: {}\n  {}\n  replay: HAWSER_SEED={} {} {}\n", seed, reason,
               world.report(), seed, program_invocation_name, options.arguments);
    return report;
  }
  return report;
}

}  // namespace hawser::sim
