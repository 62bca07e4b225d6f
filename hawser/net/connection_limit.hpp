// One true limit of connections over all schedulers of a server, and how many each of them has.
// Internal to the net layer; any thread.
#pragma once

#include <hawser/process/pid.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace hawser {

/// Sent (to handle_info) to whoever asked ConnectionLimit::wait_for_room.
struct RoomForConnections {};

/// Sent to whoever asked ConnectionLimit::watch_level, once.
struct LevelReached {
  std::uint64_t token = 0;
  std::size_t total = 0;
};

/// A number that all schedulers count on, because a limit that is split or told by message is
/// overshot or undershot. Whoever waits for room is told by message, once.
class ConnectionLimit {
 public:
  ConnectionLimit(std::size_t maximum, unsigned schedulers)
      : maximum_(maximum), shares_(schedulers) {}

  /// The right to have one connection, on one scheduler. Given back when dropped.
  class Permit {
   public:
    Permit() noexcept = default;
    Permit(Permit&& other) noexcept
        : limit_(std::move(other.limit_)), scheduler_(other.scheduler_) {}
    Permit& operator=(Permit&& other) noexcept {
      if (this != &other) {
        reset();
        limit_ = std::move(other.limit_);
        scheduler_ = other.scheduler_;
      }
      return *this;
    }
    ~Permit() { reset(); }
    explicit operator bool() const noexcept { return limit_ != nullptr; }

    /// From here on somebody else calls give_back().
    void pass_on() noexcept { limit_.reset(); }

   private:
    friend class ConnectionLimit;
    Permit(std::shared_ptr<ConnectionLimit> limit, unsigned scheduler) noexcept
        : limit_(std::move(limit)), scheduler_(scheduler) {}
    void reset() noexcept {
      if (const auto limit = std::exchange(limit_, nullptr)) limit->give_back(scheduler_);
    }
    std::shared_ptr<ConnectionLimit> limit_;
    unsigned scheduler_ = 0;
  };

  /// An empty permit when the limit is reached.
  static Permit take(const std::shared_ptr<ConnectionLimit>& limit, unsigned scheduler);
  void give_back(unsigned scheduler) noexcept;

  /// A connection leaves the count but stays: its permit is given back now, and at its end
  /// give_back_uncounted() takes the place of give_back().
  void uncount(unsigned scheduler) noexcept;
  void give_back_uncounted(unsigned scheduler) noexcept;
  std::size_t uncounted() const noexcept { return uncounted_.load(std::memory_order_relaxed); }

  /// `who` gets LevelReached with `token` when the total is at least (rising) or at most (falling)
  /// `level`, perhaps at once.
  enum class Direction : std::uint8_t { rising, falling };
  void watch_level(Pid who, std::uint64_t token, Direction direction, std::size_t level);

  /// `who` gets RoomForConnections when a connection may be taken, perhaps at once.
  void wait_for_room(Pid who);

  /// May be lowered below what there is: then nothing is taken until enough have ended.
  void set_maximum(std::size_t maximum);
  std::size_t maximum() const noexcept { return maximum_.load(std::memory_order_relaxed); }

  std::size_t total() const noexcept { return total_.load(std::memory_order_relaxed); }
  std::size_t on_scheduler(unsigned scheduler) const noexcept {
    return shares_[scheduler].value.load(std::memory_order_relaxed);
  }
  /// All connections there, uncounted ones too.
  std::size_t load() const noexcept { return total() + uncounted(); }
  unsigned schedulers() const noexcept { return static_cast<unsigned>(shares_.size()); }
  /// The scheduler with the fewest connections; the first of equals, counted from `from`.
  unsigned least_loaded(unsigned from) const noexcept;

 private:
  struct Watch {
    Pid who;
    std::uint64_t token;
    Direction direction;
    std::size_t level;
  };

  void tell_waiting() noexcept;
  void tell_levels(std::size_t total) noexcept;
  void less(std::size_t total) noexcept;

  struct alignas(64) Share {
    std::atomic<std::size_t> value{0};
  };
  std::atomic<std::size_t> maximum_;
  std::atomic<std::size_t> total_{0};
  std::atomic<std::size_t> uncounted_{0};
  std::atomic<bool> someone_waits_{false};
  // What the total has to reach before anybody needs to look at watches_.
  std::atomic<std::size_t> rising_at_{SIZE_MAX};
  std::atomic<std::size_t> falling_below_{0};
  std::vector<Share> shares_;
  std::mutex mutex_;
  std::vector<Pid> waiting_;
  std::vector<Watch> watches_;
};

}  // namespace hawser
