// Lets a few logins be checked at a time, in the order in which they came: checking a password
// costs time on purpose, and the blocking pool is shared. Internal to the broker; thread-safe.
#pragma once

#include <hawser/process/pid.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

namespace hawser::stomp {

class LoginGate {
 public:
  /// Reaches handle_info of the process whose turn it is.
  struct Turn {};

  /// The right to check, or the wish to: given back or withdrawn with the object. Belongs to one
  /// process.
  class Ticket {
   public:
    Ticket(std::shared_ptr<LoginGate> gate, Pid owner);
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket();
    /// True: check now. Otherwise a Turn comes, unless the ticket is destroyed before.
    bool has_turn() const;

   private:
    std::shared_ptr<LoginGate> gate_;  // shared for real: by all who log in
    Pid owner_;
  };

  explicit LoginGate(std::size_t at_once) noexcept : at_once_(at_once) {}

 private:
  mutable std::mutex mutex_;
  std::size_t at_once_;
  std::deque<Pid> inside_;
  std::deque<Pid> waiting_;
};

}  // namespace hawser::stomp
