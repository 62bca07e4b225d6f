// Which options of a stream can be used: what the kernel takes, checked before it is asked.
#include <hawser/engine/engine.hpp>

#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

class Checks {
 public:
  void duration(const char* name, Duration value, Duration least, Duration most,
                const char* range) {
    if (value < least || value > most) add(name, range);
  }
  void number(const char* name, int value, int least, int most, const char* range) {
    if (value < least || value > most) add(name, range);
  }
  std::vector<std::string> take() { return std::move(faults_); }

 private:
  void add(const char* name, const char* range) {
    faults_.push_back(std::string(name) + ": must be " + range);
  }
  std::vector<std::string> faults_;
};

// The bounds of TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT and TCP_USER_TIMEOUT.
void idle(Checks& checks, Duration value) {
  checks.duration("keep_alive_idle", value, 1s, 32767s, "1 s to 32767 s");
}
void interval(Checks& checks, Duration value) {
  checks.duration("keep_alive_interval", value, 1s, 32767s, "1 s to 32767 s");
}
void probes(Checks& checks, int value) {
  checks.number("keep_alive_probes", value, 1, 127, "1 to 127");
}
void patience(Checks& checks, Duration value) {
  checks.duration("user_timeout", value, 0s, 24h, "0 (the kernel's) to 24 h");
}
void buffer(Checks& checks, const char* name, int value, int least) {
  checks.number(name, value, least, 1 << 30,
                least == 0 ? "0 (the kernel's) to 1 GiB" : "1 to 1 GiB");
}

}  // namespace

std::vector<std::string> StreamOptions::faults() const {
  Checks checks;
  idle(checks, keep_alive_idle);
  interval(checks, keep_alive_interval);
  probes(checks, keep_alive_probes);
  patience(checks, user_timeout);
  buffer(checks, "send_buffer", send_buffer, 0);
  buffer(checks, "receive_buffer", receive_buffer, 0);
  return checks.take();
}

std::vector<std::string> StreamChanges::faults() const {
  Checks checks;
  if (keep_alive_idle) idle(checks, *keep_alive_idle);
  if (keep_alive_interval) interval(checks, *keep_alive_interval);
  if (keep_alive_probes) probes(checks, *keep_alive_probes);
  if (user_timeout) patience(checks, *user_timeout);
  if (send_buffer) buffer(checks, "send_buffer", *send_buffer, 1);
  if (receive_buffer) buffer(checks, "receive_buffer", *receive_buffer, 1);
  if (receive_low_water) buffer(checks, "receive_low_water", *receive_low_water, 1);
  return checks.take();
}

}  // namespace hawser
