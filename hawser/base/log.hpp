// Where events become lines: a Log takes finished records and writes them. Public; every method may
// be called from any thread. No global logger exists: a System owns one and hands it down.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace hawser {

enum class LogLevel : unsigned char { trace, debug, info, warning, error, off };

std::string_view to_string(LogLevel level) noexcept;

/// A sink of log lines. Users may derive their own; it must be callable from any thread.
class Log {
 public:
  virtual ~Log() = default;

  /// Writes one line. `source` is who says it: a process's name, a listener, "engine".
  virtual void write(LogLevel level, std::string_view source, std::string_view text) = 0;

  /// Lines below this level are not written; callers ask first so that they need not build them.
  LogLevel level() const noexcept { return level_; }
  bool enabled(LogLevel level) const noexcept { return level >= level_; }

  void trace(std::string_view source, std::string_view text) { put(LogLevel::trace, source, text); }
  void debug(std::string_view source, std::string_view text) { put(LogLevel::debug, source, text); }
  void info(std::string_view source, std::string_view text) { put(LogLevel::info, source, text); }
  void warning(std::string_view source, std::string_view text) {
    put(LogLevel::warning, source, text);
  }
  void error(std::string_view source, std::string_view text) { put(LogLevel::error, source, text); }

 protected:
  explicit Log(LogLevel level) noexcept : level_(level) {}

 private:
  void put(LogLevel level, std::string_view source, std::string_view text) {
    if (enabled(level)) write(level, source, text);
  }
  LogLevel level_;
};

/// Lines on stderr with time, level and source (spdlog behind it).
std::unique_ptr<Log> make_stderr_log(LogLevel level);

/// Drops everything: the default in tests and simulations.
std::unique_ptr<Log> make_null_log();

}  // namespace hawser
