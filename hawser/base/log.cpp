// The two sinks that come with the library: stderr by spdlog, and nowhere.
#include <hawser/base/log.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace hawser {

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
    case LogLevel::off:
      return "off";
  }
  return "off";
}

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

class StderrLog final : public Log {
 public:
  explicit StderrLog(LogLevel level)
      : Log(level),
        // Built by hand, not by spdlog's factory: that one would enter its global registry, and two
        // Systems in one program would then share or refuse the name.
        logger_("hawser", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    logger_.set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %v");
    logger_.set_level(spdlog_level(level));
    logger_.flush_on(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view source, std::string_view text) override {
    logger_.log(spdlog_level(level), "{}: {}", source, text);
  }

 private:
  spdlog::logger logger_;
};

class NullLog final : public Log {
 public:
  NullLog() noexcept : Log(LogLevel::off) {}
  void write(LogLevel, std::string_view, std::string_view) override {}
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(LogLevel level) { return std::make_unique<StderrLog>(level); }
std::unique_ptr<Log> make_null_log() { return std::make_unique<NullLog>(); }

}  // namespace hawser
