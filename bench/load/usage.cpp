// Reading /proc and the CPU clock of another process.
#include <bench/load/usage.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

namespace hawser::bench {

namespace {

/// The number after `key` at the start of a line; `key` includes its colon.
std::optional<std::uint64_t> line_value(BytesView text, BytesView key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    BytesView line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    std::uint64_t value = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error == std::errc{}) return value;
  }
  return std::nullopt;
}

Result<Duration> schedstat_sum(pid_t pid) {
  const std::string folder = fmt::format("/proc/{}/task", pid);
  const std::unique_ptr<DIR, int (*)(DIR*)> threads(opendir(folder.c_str()), closedir);
  if (!threads) return std::unexpected(system_error(errno, "read CPU time", folder));
  std::int64_t sum = 0;
  while (const dirent* thread = readdir(threads.get())) {
    if (thread->d_name[0] == '.') continue;
    const auto text = read_file(fmt::format("{}/{}/schedstat", folder, thread->d_name).c_str());
    if (!text) continue;  // the thread ended in between
    std::int64_t run = 0;
    if (std::from_chars(text->data(), text->data() + text->size(), run).ec == std::errc{}) {
      sum += run;
    }
  }
  return Duration{sum};
}

}  // namespace

Result<Bytes> read_file(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(system_error(errno, "read", path));
  Bytes text;
  char piece[4096];
  ssize_t got = 0;
  while ((got = read(fd, piece, sizeof piece)) > 0) text.append(piece, static_cast<size_t>(got));
  const int code = errno;
  close(fd);
  if (got < 0) return std::unexpected(system_error(code, "read", path));
  return text;
}

Result<CpuUsage> parse_stat(BytesView stat, std::int64_t ticks_per_second) {
  // The program's name stands in parentheses and may hold anything, parentheses too.
  const std::size_t name_end = stat.rfind(')');
  const Error unlike{ErrorKind::failed, 0, "read CPU time", "/proc/PID/stat has an unknown form"};
  if (name_end == BytesView::npos || ticks_per_second <= 0) return std::unexpected(unlike);
  BytesView rest = stat.substr(name_end + 1);
  std::int64_t ticks[2] = {0, 0};
  for (int field = 3; field <= 15; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const BytesView word = rest.substr(0, rest.find_first_of(" \n"));
    if (word.empty()) return std::unexpected(unlike);
    if (field >= 14) {
      const auto parsed =
          std::from_chars(word.data(), word.data() + word.size(), ticks[field - 14]);
      if (parsed.ec != std::errc{}) return std::unexpected(unlike);
    }
    rest.remove_prefix(word.size());
  }
  const std::int64_t tick = 1'000'000'000 / ticks_per_second;
  CpuUsage usage;
  usage.user = Duration{ticks[0] * tick};
  usage.system = Duration{ticks[1] * tick};
  usage.total = usage.user + usage.system;
  return usage;
}

Result<MemoryUsage> parse_smaps_rollup(BytesView text) {
  const auto anonymous = line_value(text, "Anonymous:");
  const auto dirty = line_value(text, "Private_Dirty:");
  if (!anonymous || !dirty) {
    return std::unexpected(Error{ErrorKind::failed, 0, "read memory",
                                 "smaps_rollup lacks Anonymous or Private_Dirty"});
  }
  return MemoryUsage{*anonymous * 1024, *dirty * 1024};
}

Result<CpuUsage> cpu_usage(pid_t pid) {
  const auto stat = read_file(fmt::format("/proc/{}/stat", pid).c_str());
  if (!stat) return std::unexpected(stat.error());
  auto usage = parse_stat(*stat, sysconf(_SC_CLK_TCK));
  if (!usage) return usage;
  if (const auto status = read_file(fmt::format("/proc/{}/status", pid).c_str())) {
    usage->switches = line_value(*status, "voluntary_ctxt_switches:").value_or(0) +
                      line_value(*status, "nonvoluntary_ctxt_switches:").value_or(0);
  }
  clockid_t clock = {};
  timespec ran = {};
  if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &ran) == 0) {
    usage->total = std::chrono::seconds(ran.tv_sec) + std::chrono::nanoseconds(ran.tv_nsec);
    return usage;
  }
  const auto sum = schedstat_sum(pid);
  if (!sum) return std::unexpected(sum.error());
  usage->total = *sum;
  return usage;
}

Result<MemoryUsage> memory_usage(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/smaps_rollup", pid).c_str());
  if (!text) return std::unexpected(text.error());
  return parse_smaps_rollup(*text);
}

Result<std::uint64_t> kernel_memory() {
  const auto text = read_file("/proc/meminfo");
  if (!text) return std::unexpected(text.error());
  const auto slab = line_value(*text, "Slab:");
  if (!slab) return std::unexpected(Error{ErrorKind::failed, 0, "read memory", "no Slab line"});
  return *slab * 1024;
}

}  // namespace hawser::bench
