// Taking, giving back, and waking those who wait.
#include <hawser/net/connection_limit.hpp>

#include <hawser/process/send.hpp>

namespace hawser {

ConnectionLimit::Permit ConnectionLimit::take(const std::shared_ptr<ConnectionLimit>& limit,
                                              unsigned scheduler) {
  std::size_t total = limit->total_.load();
  do {
    if (total >= limit->maximum_.load()) return {};
  } while (!limit->total_.compare_exchange_weak(total, total + 1));
  limit->shares_[scheduler].value.fetch_add(1, std::memory_order_relaxed);
  return {limit, scheduler};
}

void ConnectionLimit::give_back(unsigned scheduler) noexcept {
  shares_[scheduler].value.fetch_sub(1, std::memory_order_relaxed);
  // Sequentially consistent, as in wait_for_room: one of the two sees what the other has written.
  total_.fetch_sub(1);
  if (someone_waits_.load()) tell_waiting();
}

void ConnectionLimit::wait_for_room(Pid who) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(who);
    someone_waits_.store(true);
  }
  if (total_.load() < maximum_.load()) tell_waiting();
}

void ConnectionLimit::set_maximum(std::size_t maximum) {
  maximum_.store(maximum);
  if (total_.load() < maximum && someone_waits_.load()) tell_waiting();
}

void ConnectionLimit::tell_waiting() noexcept {
  if (total_.load() >= maximum_.load()) return;
  std::vector<Pid> told;
  {
    const std::lock_guard lock(mutex_);
    told.swap(waiting_);
    someone_waits_.store(false);
  }
  for (const Pid who : told) send_info(who, RoomForConnections{});
}

unsigned ConnectionLimit::least_loaded(unsigned from) const noexcept {
  unsigned best = from % schedulers();
  for (unsigned i = 1; i < schedulers(); ++i) {
    const unsigned other = (from + i) % schedulers();
    if (on_scheduler(other) < on_scheduler(best)) best = other;
  }
  return best;
}

}  // namespace hawser
