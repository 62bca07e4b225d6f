// The way to a connected socket: name look-up, then one address after the other, within one time
// limit. Internal to the net layer; belongs to its scheduler's thread.
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/net/dial_options.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser {
class Scheduler;
}

namespace hawser::detail {

class Dialing final : public std::enable_shared_from_this<Dialing>,
                      private StreamEvents,
                      private Timer {
 public:
  /// Exactly one of these is called, never from inside start(); it may destroy the Dialing.
  class Owner {
   public:
    virtual void dialed(NativeSocket socket) = 0;
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

 private:
  void on_connected() override;
  void on_received(BytesView) override {}
  void on_end_of_stream() override {}
  void on_failed(const Error& error) override;
  void fire() override;

  void resolved(Result<std::vector<Address>> addresses);
  /// Tries addresses until one is under way; the owner is told when none is left.
  void try_next();
  void drop_socket() noexcept;

  Scheduler& scheduler_;
  Owner& owner_;
  DialOptions options_;
  Instant deadline_;
  std::vector<Address> addresses_;
  std::size_t tried_ = 0;
  SocketId socket_;
  bool resolving_ = false;
  bool timed_out_ = false;  // the last address tried did not answer in its time
  std::string last_error_;
};

}  // namespace hawser::detail
