// Taking, giving back, and waking those who wait.
#include <hawser/net/connection_limit.hpp>

#include <hawser/process/send.hpp>

#include <algorithm>
#include <iterator>

namespace hawser {

ConnectionLimit::Permit ConnectionLimit::take(const std::shared_ptr<ConnectionLimit>& limit,
                                              unsigned scheduler) {
  std::size_t total = limit->total_.load();
  do {
    if (total >= limit->maximum_.load()) return {};
  } while (!limit->total_.compare_exchange_weak(total, total + 1));
  limit->shares_[scheduler].value.fetch_add(1, std::memory_order_relaxed);
  if (total + 1 >= limit->rising_at_.load()) limit->tell_levels(total + 1);
  return {limit, scheduler};
}

void ConnectionLimit::give_back(unsigned scheduler) noexcept {
  shares_[scheduler].value.fetch_sub(1, std::memory_order_relaxed);
  // Sequentially consistent, as in wait_for_room: one of the two sees what the other has written.
  less(total_.fetch_sub(1) - 1);
}

void ConnectionLimit::less(std::size_t total) noexcept {
  if (someone_waits_.load()) tell_waiting();
  if (total < falling_below_.load()) tell_levels(total);
}

void ConnectionLimit::uncount(unsigned) noexcept {
  uncounted_.fetch_add(1);
  less(total_.fetch_sub(1) - 1);
}

void ConnectionLimit::give_back_uncounted(unsigned scheduler) noexcept {
  shares_[scheduler].value.fetch_sub(1, std::memory_order_relaxed);
  uncounted_.fetch_sub(1);
}

void ConnectionLimit::watch_level(Pid who, std::uint64_t token, Direction direction,
                                  std::size_t level) {
  {
    const std::lock_guard lock(mutex_);
    watches_.push_back({who, token, direction, level});
    if (direction == Direction::rising) {
      rising_at_.store(std::min(rising_at_.load(), level));
    } else {
      falling_below_.store(std::max(falling_below_.load(), level + 1));
    }
  }
  tell_levels(total_.load());
}

void ConnectionLimit::tell_levels(std::size_t total) noexcept {
  std::vector<Watch> told;
  {
    const std::lock_guard lock(mutex_);
    const auto reached = [total](const Watch& watch) {
      return watch.direction == Direction::rising ? total >= watch.level : total <= watch.level;
    };
    std::copy_if(watches_.begin(), watches_.end(), std::back_inserter(told), reached);
    std::erase_if(watches_, reached);
    std::size_t rising = SIZE_MAX;
    std::size_t falling = 0;
    for (const Watch& watch : watches_) {
      if (watch.direction == Direction::rising) {
        rising = std::min(rising, watch.level);
      } else {
        falling = std::max(falling, watch.level + 1);
      }
    }
    rising_at_.store(rising);
    falling_below_.store(falling);
  }
  for (const Watch& watch : told) send_info(watch.who, LevelReached{watch.token, total});
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
