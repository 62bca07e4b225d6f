// Numbers with units, read without rounding.
#include <hawser/base/quantity.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace hawser {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::array<Unit, 7> duration_units{{{"ns", 1},
                                              {"us", 1'000},
                                              {"ms", 1'000'000},
                                              {"s", second},
                                              {"min", 60 * second},
                                              {"h", 3'600 * second},
                                              {"d", 86'400 * second}}};
constexpr std::uint64_t kibi = 1024;
constexpr std::array<Unit, 10> size_units{{{"", 1},
                                           {"B", 1},
                                           {"kB", 1'000},
                                           {"KiB", kibi},
                                           {"MB", 1'000'000},
                                           {"MiB", kibi* kibi},
                                           {"GB", second},
                                           {"GiB", kibi* kibi* kibi},
                                           {"TB", 1'000 * second},
                                           {"TiB", kibi* kibi* kibi* kibi}}};

template <class Units>
std::optional<std::uint64_t> factor_of(const Units& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.factor;
  }
  return std::nullopt;
}

/// Takes a decimal number off the front of `text`; nothing when there is none or it does not fit.
std::optional<std::uint64_t> take_digits(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// value * factor, or nothing when it exceeds `limit`.
std::optional<std::uint64_t> multiply(std::uint64_t value, std::uint64_t factor,
                                      std::uint64_t limit) {
  if (value > limit / factor) return std::nullopt;
  return value * factor;
}

Error bad_duration(std::string_view text) {
  return {ErrorKind::invalid_argument,
          0,
          {},
          fmt::format("'{}' is no duration; write a number and a unit (ns, us, ms, s, min, h, d), "
                      "such as 10s or 250ms, or never",
                      text)};
}

Error bad_size(std::string_view text) {
  return {ErrorKind::invalid_argument,
          0,
          {},
          fmt::format("'{}' is no size; write a whole number of bytes, with a unit if you like (B, "
                      "KiB, MiB, GiB, TiB, kB, MB, GB, TB), such as 64KiB",
                      text)};
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr auto limit = static_cast<std::uint64_t>(Duration::max().count());
  if (text == "never") return Duration::max();
  std::string_view rest = text;
  const auto whole = take_digits(rest);
  if (!whole) return std::unexpected(bad_duration(text));
  if (rest.empty() && *whole == 0) return Duration::zero();

  std::uint64_t decimals = 0;
  std::uint64_t scale = 1;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    const std::size_t before = rest.size();
    const auto digits = take_digits(rest);
    const std::size_t count = before - rest.size();
    if (!digits || count > 9) return std::unexpected(bad_duration(text));
    decimals = *digits;
    for (std::size_t i = 0; i < count; ++i) scale *= 10;
  }
  const auto factor = factor_of(duration_units, rest);
  if (!factor) return std::unexpected(bad_duration(text));
  // decimals < scale <= 1e9 and factor < 1e14 times it may pass 64 bits: divide out what is common.
  const std::uint64_t step = *factor >= scale ? *factor / scale : 0;
  const bool exact = step != 0 && step * scale == *factor;
  std::uint64_t fraction = 0;
  if (exact) {
    fraction = decimals * step;
  } else if (decimals != 0) {
    const std::uint64_t product = decimals * *factor;  // factor < scale <= 1e9: no overflow
    if (*factor > scale || product % scale != 0) return std::unexpected(bad_duration(text));
    fraction = product / scale;
  }
  const auto scaled = multiply(*whole, *factor, limit);
  if (!scaled || *scaled > limit - fraction) return std::unexpected(bad_duration(text));
  return Duration(static_cast<Duration::rep>(*scaled + fraction));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_digits(rest);
  const auto factor = factor_of(size_units, rest);
  if (!number || !factor) return std::unexpected(bad_size(text));
  const auto bytes = multiply(*number, *factor, UINT64_MAX);
  if (!bytes) return std::unexpected(bad_size(text));
  return *bytes;
}

std::string duration_text(Duration duration) {
  if (duration == Duration::max()) return "never";
  if (duration == Duration::zero()) return "0s";
  // Days and hours are read, but "36h" says more than "1.5d" and "90s" more than "1.5min".
  std::string_view name = "ns";
  Duration::rep factor = 1;
  for (const Unit& unit : duration_units) {
    const auto candidate = static_cast<Duration::rep>(unit.factor);
    if (duration.count() % candidate == 0) {
      name = unit.name;
      factor = candidate;
    }
  }
  return fmt::format("{}{}", duration.count() / factor, name);
}

std::string size_text(std::uint64_t bytes) {
  std::string_view name = "B";
  std::uint64_t factor = 1;
  for (const Unit& unit : size_units) {
    if (unit.factor % kibi == 0 && bytes != 0 && bytes % unit.factor == 0) {
      name = unit.name;
      factor = unit.factor;
    }
  }
  return fmt::format("{}{}", bytes / factor, name);
}

}  // namespace hawser
