// Durations and sizes as people write them: "10s", "250ms", "64KiB". One reader for command lines,
// configuration files and URLs, and the same forms back for help and logs. Public; pure functions.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace hawser {

/// A number with at most nine decimals and a unit (ns, us, ms, s, min, h, d), without blanks
/// between: "10s", "1.5s", "250ms". "0" needs no unit; "never" is Duration::max(), which every
/// time-out takes as none. Errors: invalid_argument for anything else, also for what does not fit
/// (292 years) and for a fraction of a nanosecond.
Result<Duration> parse_duration(std::string_view text);

/// A number of bytes, alone or with a unit: B, KiB, MiB, GiB, TiB (powers of 1024), kB, MB, GB, TB
/// (powers of 1000). Whole numbers only: "64KiB", "16MiB", "4096". Errors: invalid_argument.
Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest form that parse_duration reads back as the same: "10s", "1500ms", "never".
std::string duration_text(Duration duration);

/// The shortest form that parse_size reads back as the same: "64KiB", "1000B".
std::string size_text(std::uint64_t bytes);

}  // namespace hawser
