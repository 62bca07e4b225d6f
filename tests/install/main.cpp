// A user's program of ten lines, built against the installed library.
#include <hawser/base/bytes.hpp>
#include <hawser/base/log.hpp>

int main() {
  const hawser::Payload payload("ten lines");
  const auto log = hawser::make_stderr_log(hawser::LogLevel::info);
  log->info("consumer", payload.view());
  return payload.size() == 9 && log->enabled(hawser::LogLevel::error) ? 0 : 1;
}
