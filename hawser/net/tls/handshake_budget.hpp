// How many steps of handshakes one scheduler makes in a turn: a thousand clients that connect at
// once must not hold up those that are connected. Public for its settings; one object serves the
// connections of one maker on one scheduler, and belongs to that thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace hawser {

class Scheduler;

struct HandshakeLimits {
  /// A step takes what one flight of the peer costs: some hundred microseconds for a signature and
  /// a key exchange. At least 1.
  std::uint32_t steps_per_turn = 8;
  /// Handshakes that wait for their turn. Beyond it the one that has waited longest, and of which
  /// nothing was done yet, ends with reason overloaded.
  std::uint32_t waiting = 4096;
  /// So many that wait to begin mean overload: then the newest goes first, since who has waited
  /// longest is the likeliest to give up before its turn comes.
  std::uint32_t newest_first_above = 256;
  /// Steps of one handshake; protocol_error beyond. One takes three, and ten when its records come
  /// apart, so at least 16; who cuts it smaller does so to use up the steps of others.
  std::uint32_t steps_per_handshake = 64;
};

class HandshakeBudget : public std::enable_shared_from_this<HandshakeBudget> {
 public:
  /// Somebody who wants to make a step; destroyed, it waits no longer.
  class Waiter {
   public:
    Waiter() noexcept = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { leave(); }

    bool waiting() const noexcept { return list_ != nullptr; }
    void leave() noexcept;

   protected:
    /// Its turn has come: makes the step. Called outside of any process's callback.
    virtual void granted() = 0;
    /// Too many wait; it will not be granted.
    virtual void refused() = 0;

   private:
    friend class HandshakeBudget;
    struct List {
      Waiter* first = nullptr;
      Waiter* last = nullptr;
      std::size_t size = 0;
    };
    List* list_ = nullptr;
    Waiter* previous_ = nullptr;
    Waiter* next_ = nullptr;
  };

  explicit HandshakeBudget(HandshakeLimits limits) noexcept : limits_(limits) {}
  HandshakeBudget(const HandshakeBudget&) = delete;
  HandshakeBudget& operator=(const HandshakeBudget&) = delete;
  ~HandshakeBudget();

  /// True: make the step now. False: `waiter` will be granted or refused, in a later turn. Those
  /// who have `begun` come before those who have not. `scheduler` is the one whose turn runs.
  bool take(Scheduler& scheduler, Waiter& waiter, bool begun);

  std::size_t waiting() const noexcept { return begun_.size + fresh_.size; }
  const HandshakeLimits& limits() const noexcept { return limits_; }

 private:
  static void append(Waiter::List& list, Waiter& waiter) noexcept;
  void next_turn(Scheduler& scheduler);
  void turn(Scheduler& scheduler);
  Waiter* next() noexcept;

  HandshakeLimits limits_;
  std::uint32_t taken_ = 0;  // steps since the last turn began
  bool posted_ = false;      // turn() will be called
  Waiter::List begun_;
  Waiter::List fresh_;
  Waiter::List refused_;
};

}  // namespace hawser
