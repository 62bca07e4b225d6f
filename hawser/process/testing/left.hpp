// What there is in a System, to be compared before something starts and after it has ended.
// Internal to the tests and soaks of this layer and those above; from a thread of no scheduler's.
#pragma once

#include <hawser/process/system.hpp>

#include <cstddef>
#include <ostream>
#include <stdexcept>
#include <string>

namespace hawser::testing {

struct Left {
  std::size_t processes = 0;
  std::size_t sockets = 0;
  std::size_t timers = 0;

  bool operator==(const Left&) const = default;
  std::string text() const {
    return std::to_string(processes) + " processes, " + std::to_string(sockets) + " sockets, " +
           std::to_string(timers) + " timers";
  }
  friend std::ostream& operator<<(std::ostream& out, const Left& left) {
    return out << left.text();
  }
};

inline Left left_in(System& system) {
  Left sum;
  for (unsigned i = 0; i < system.scheduler_count(); ++i) {
    const auto ran = system.run_on(i, [&](Scheduler& scheduler) {
      sum.processes += scheduler.process_count();
      sum.sockets += scheduler.engine().open_sockets();
      sum.timers += scheduler.timers().armed();
    });
    if (!ran) throw std::runtime_error(ran.error().text());
  }
  return sum;
}

}  // namespace hawser::testing
