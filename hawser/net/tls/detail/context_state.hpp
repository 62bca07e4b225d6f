// What stands behind a TLS context: the generation that new handshakes take, and the handshake
// budget of each scheduler. Internal to the TLS transport; any thread.
#pragma once

#include <hawser/net/tls/handshake_budget.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace hawser {
class Scheduler;
}

namespace hawser::detail {

class TlsGeneration;

class TlsContextState {
 public:
  TlsContextState(std::shared_ptr<const TlsGeneration> generation, HandshakeLimits limits)
      : generation_(std::move(generation)), limits_(limits) {}

  std::shared_ptr<const TlsGeneration> generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
  }
  void replace(std::shared_ptr<const TlsGeneration> generation, HandshakeLimits limits) {
    const std::lock_guard lock(mutex_);
    generation_.swap(generation);  // the old one may go here, after the lock
    limits_ = limits;
  }
  /// The budget of the connections on `scheduler`, whose turn it is. It goes with the last of them
  /// that holds it, so that it is used and destroyed on that thread alone.
  std::shared_ptr<HandshakeBudget> budget(const Scheduler& scheduler) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<HandshakeBudget>& known = budgets_[&scheduler];
    std::shared_ptr<HandshakeBudget> budget = known.lock();
    if (budget == nullptr) {
      budget = std::make_shared<HandshakeBudget>(limits_);
      known = budget;
    }
    return budget;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsGeneration> generation_;
  HandshakeLimits limits_;
  // By address, which is never followed nor iterated: a few entries, one a scheduler.
  std::map<const Scheduler*, std::weak_ptr<HandshakeBudget>> budgets_;
};

}  // namespace hawser::detail
