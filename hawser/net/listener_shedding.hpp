// What a listener does for clients that it cannot serve: a few bytes and a close, and a descriptor
// in reserve. Internal to the listener; belongs to its thread.
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/net/server_options.hpp>
#include <hawser/process/scheduler.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <string>

namespace hawser::detail {

/// Sends clients away with a word, without a process for each: the engine's graceful close does the
/// rest. Bounded in number and in time, since a peer may be in no hurry to read.
class Shedder {
 public:
  /// Closes `socket`, with the hook's bytes if it answers any and there is room for one more. True
  /// when bytes were given. `what` the hook threw, if it did.
  bool shed(Scheduler& scheduler, NativeSocket socket, const ServerOptions& options,
            std::string& what);

 private:
  class Deaf final : public StreamEvents {
    void on_received(BytesView) override {}
    void on_end_of_stream() override {}
    void on_failed(const Error&) override {}
  };
  Deaf deaf_;
  std::deque<Instant> open_until_;
};

/// A socket that nobody uses, to be given up when descriptors have run out.
class SpareDescriptor {
 public:
  explicit SpareDescriptor(Engine& engine) noexcept : engine_(engine) {}
  SpareDescriptor(const SpareDescriptor&) = delete;
  SpareDescriptor& operator=(const SpareDescriptor&) = delete;
  ~SpareDescriptor() { give_up(); }

  bool held() const noexcept { return static_cast<bool>(id_); }
  /// Takes one, unless it is there already; false when the machine has none.
  bool take();
  void give_up();

 private:
  class Deaf final : public DatagramEvents {
    void on_datagram(const Datagram&) override {}
    void on_failed(const Error&) override {}
  };
  Engine& engine_;
  Deaf deaf_;
  SocketId id_;
};

}  // namespace hawser::detail
