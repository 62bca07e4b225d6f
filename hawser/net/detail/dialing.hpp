// The way to a connected socket: name look-up, then attempts at the host's addresses, overlapping
// as in RFC 8305, within one time limit. Internal to the net layer; belongs to its scheduler's
// thread.
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/net/dial_options.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
class Scheduler;
}

namespace hawser::detail {

class Dialing final : public std::enable_shared_from_this<Dialing>, private Timer {
 public:
  /// Exactly one of these is called, never from inside start(); it may destroy the Dialing. At that
  /// moment all sockets but the one handed over are closed.
  class Owner {
   public:
    virtual void dialed(NativeSocket socket) = 0;
    /// `timeout` when the look-up or at least one address gave no answer in time, `failed` when
    /// every one said no. The text names each address tried with its error.
    virtual void dial_failed(Reason reason) = 0;

   protected:
    ~Owner() = default;
  };

  Dialing(Scheduler& scheduler, Owner& owner, DialOptions options);
  Dialing(const Dialing&) = delete;
  Dialing& operator=(const Dialing&) = delete;
  /// Gives up: the owner is not told.
  ~Dialing();

  /// The object must be held by a shared_ptr: a look-up that outlives it finds it gone.
  void start();

  /// Longest text of a Reason; addresses beyond it are counted, not named.
  static constexpr std::size_t text_limit = 2048;

 private:
  /// One address under way, or what became of it.
  struct Attempt final : StreamEvents {
    Attempt(Dialing& owner, Address to) : dialing(owner), address(std::move(to)) {}
    void on_connected() override { dialing.won(*this); }
    void on_received(BytesView) override {}
    void on_end_of_stream() override {}
    void on_failed(const Error& reported) override { dialing.lost(*this, reported); }

    Dialing& dialing;
    Address address;
    SocketId socket;      // while under way
    std::string error;    // once it failed
    bool silent = false;  // the kernel gave up waiting for an answer
  };
  enum class Stage : std::uint8_t { idle, starting, resolving, connecting, over };

  void fire() override;
  void resolved(Result<std::vector<Address>> addresses);
  /// Takes over what the look-up found: order, limit, families; then the first attempt.
  void choose(std::vector<Address> found);
  /// Begins attempts until one is under way; the end when there is none left.
  void begin_next();
  void won(Attempt& attempt);
  void lost(Attempt& attempt, const Error& error);
  void note(Attempt& attempt, const Error& error);
  /// When to look again: the next attempt's turn or the end of all patience.
  void arm_timer();
  void close_all() noexcept;

  /// The end: nothing of this object moves afterwards, whatever the owner does in its callback.
  void finish(Reason reason);
  void finish_attempts();
  std::string attempts_text() const;
  std::string whole_timeout_text() const;

  Scheduler& scheduler_;
  Owner& owner_;
  DialOptions options_;
  Stage stage_ = Stage::idle;
  Instant deadline_;
  Instant next_attempt_;            // not before, unless the one before fails
  std::vector<Address> addresses_;  // in the order of trying
  std::size_t left_out_ = 0;        // beyond max_addresses
  std::deque<Attempt> attempts_;    // the engine knows them by address; at most max_addresses
  std::size_t under_way_ = 0;
};

}  // namespace hawser::detail
