// How a seed chooses a world's faults, and their text for reports.
#include <hawser/engine/sim/faults.hpp>

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace hawser::sim {

namespace {

Duration some(Random& random, Duration most) {
  return Duration{
      static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(most.count()) + 1))};
}

std::string words(Duration length) {
  const auto count = length.count();
  if (count % 1'000'000'000 == 0) return fmt::format("{}s", count / 1'000'000'000);
  if (count % 1'000'000 == 0) return fmt::format("{}ms", count / 1'000'000);
  return fmt::format("{:.1f}us", static_cast<double>(count) / 1000.0);
}

}  // namespace

Faults Faults::swarm(Random& random) {
  Faults faults;
  const auto on = [&random] { return random.chance(0.34); };
  const auto rate = [&](double& field, double most) {
    if (on()) field = most * random.unit();
  };
  constexpr std::array latencies{10us, 100us, 1'000us, 20'000us, 150'000us};
  faults.latency = latencies.at(random.below(latencies.size()));
  if (on()) faults.jitter = some(random, faults.latency * 3);
  if (on()) {
    constexpr std::array<std::uint64_t, 4> speeds{20'000, 200'000, 2'000'000, 100'000'000};
    faults.bytes_per_second = speeds.at(random.below(speeds.size()));
  }
  if (on()) {
    constexpr std::array<std::size_t, 5> sizes{1, 7, 100, 536, 1460};
    faults.segment_bytes = sizes.at(random.below(sizes.size()));
  }
  rate(faults.connect_refused, 0.2);
  rate(faults.connect_black_holed, 0.1);
  rate(faults.reset, 0.02);
  rate(faults.half_close, 0.01);
  rate(faults.stall, 0.02);
  if (on()) faults.stall_length = {some(random, 100ms), 100ms + some(random, 30s)};
  faults.reset_discards = random.chance(0.5) ? 1 : random.unit();
  rate(faults.datagram_loss, 0.3);
  rate(faults.datagram_duplication, 0.2);
  rate(faults.datagram_reordering, 0.3);
  rate(faults.split_reads, 0.9);
  rate(faults.short_writes, 0.9);
  rate(faults.receive_starvation, 0.3);
  rate(faults.accept_aborted, 0.2);
  rate(faults.accept_exhausted, 0.1);
  if (on()) faults.completion_delay = some(random, 2ms);
  rate(faults.late_cancels, 1.0);
  rate(faults.slow_blocking, 0.3);
  return faults;
}

std::string Faults::text() const {
  const Faults clean = none();
  fmt::memory_buffer out;
  const auto name = [&out](const char* what) {
    fmt::format_to(std::back_inserter(out), "{}{}=", out.size() == 0 ? "" : " ", what);
  };
  const auto put_rate = [&](const char* what, double value, double usual) {
    if (value == usual) return;
    name(what);
    fmt::format_to(std::back_inserter(out), "{:.4g}", value);
  };
  const auto put_time = [&](const char* what, Duration value, Duration usual) {
    if (value == usual) return;
    name(what);
    fmt::format_to(std::back_inserter(out), "{}", words(value));
  };
  const auto put_span = [&](const char* what, const Span& value, const Span& usual) {
    if (value == usual) return;
    name(what);
    fmt::format_to(std::back_inserter(out), "{}..{}", words(value.least), words(value.most));
  };
  const auto put_count = [&](const char* what, std::uint64_t value, std::uint64_t usual) {
    if (value == usual) return;
    name(what);
    fmt::format_to(std::back_inserter(out), "{}", value);
  };
  put_time("latency", latency, clean.latency);
  put_time("jitter", jitter, clean.jitter);
  put_count("bytes_per_second", bytes_per_second, clean.bytes_per_second);
  put_count("segment_bytes", segment_bytes, clean.segment_bytes);
  put_rate("connect_refused", connect_refused, clean.connect_refused);
  put_rate("connect_black_holed", connect_black_holed, clean.connect_black_holed);
  put_rate("reset", reset, clean.reset);
  put_rate("half_close", half_close, clean.half_close);
  put_rate("stall", stall, clean.stall);
  put_span("stall_length", stall_length, clean.stall_length);
  put_rate("reset_discards", reset_discards, clean.reset_discards);
  put_rate("datagram_loss", datagram_loss, clean.datagram_loss);
  put_rate("datagram_duplication", datagram_duplication, clean.datagram_duplication);
  put_rate("datagram_reordering", datagram_reordering, clean.datagram_reordering);
  put_time("reordering_delay", reordering_delay, clean.reordering_delay);
  put_rate("split_reads", split_reads, clean.split_reads);
  put_rate("short_writes", short_writes, clean.short_writes);
  put_rate("receive_starvation", receive_starvation, clean.receive_starvation);
  put_rate("accept_aborted", accept_aborted, clean.accept_aborted);
  put_rate("accept_exhausted", accept_exhausted, clean.accept_exhausted);
  put_time("completion_delay", completion_delay, clean.completion_delay);
  put_rate("late_cancels", late_cancels, clean.late_cancels);
  put_rate("slow_blocking", slow_blocking, clean.slow_blocking);
  put_span("blocking_usual", blocking_usual, clean.blocking_usual);
  put_span("blocking_slow", blocking_slow, clean.blocking_slow);
  return out.size() == 0 ? "none" : fmt::to_string(out);
}

}  // namespace hawser::sim
