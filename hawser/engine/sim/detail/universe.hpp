// A simulated world from inside: the kernels and wires, the engines on them, and the loops that get
// their turns. Internal; one thread. World and Host are what users see of it.
#pragma once

#include <hawser/engine/environment.hpp>
#include <hawser/engine/sim/detail/datagrams.hpp>
#include <hawser/engine/sim/detail/ground.hpp>
#include <hawser/engine/sim/detail/streams.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hawser::sim::detail {

class SimEngine;
class Universe;

/// Closes sockets that were dropped in transit; those of a life before a crash are gone already,
/// and their numbers may belong to others by now.
class TransitCloser final : public NativeSocket::Closer {
 public:
  TransitCloser(Universe& universe, HostIndex host) noexcept;
  void close_native(int number) noexcept override;

 private:
  Universe* universe_;
  HostIndex host_;
  std::uint32_t life_;
};

class Universe {
 public:
  Universe(std::uint64_t seed, std::uint64_t turns_without_time,
           std::chrono::system_clock::time_point start_date);

  Ground ground;
  Streams streams;
  Datagrams datagrams;

  std::uint64_t seed() const noexcept { return seed_; }
  std::chrono::system_clock::time_point wall_clock() const noexcept;

  // ---- hosts -----------------------------------------------------------------------------------
  HostIndex add_host(const std::string& name);
  void add_interface(HostIndex host, const Address& address, const std::string& segment,
                     unsigned prefix);
  void remove_interface(HostIndex host, const Address& address);
  void add_name(const std::string& name, const Address& address);
  Result<std::vector<Address>> look_up(const std::string& name, std::uint16_t port) const;
  void crash(HostIndex host);
  void restart(HostIndex host);
  /// How often the host has crashed: engines and sockets of an earlier life are dead.
  std::uint32_t life(HostIndex host) const { return lives_[host]; }
  /// Closes sockets in transit of the host's present life.
  NativeSocket::Closer& closer(HostIndex host) { return *closers_[host].back(); }

  // ---- engines and loops -----------------------------------------------------------------------
  std::uint32_t add_engine(SimEngine& engine);
  /// Its loop, if it has one, gets no further turn.
  void remove_engine(std::uint32_t id) noexcept;
  void start(HostIndex host, std::span<Loop* const> loops);
  /// Whether a loop of this host still wants turns.
  bool has_loops(HostIndex host) const;
  void forget_loops(HostIndex host);

  // ---- running ---------------------------------------------------------------------------------
  /// One event or one turn; or, when nothing is to be done now, time moves to the next thing, at
  /// most to `limit`. False when `limit` was reached (or nothing at all is left to happen).
  bool step(Instant limit);
  bool run_until(const std::function<bool()>& predicate, Instant limit);
  void run_to(Instant limit);
  bool in_turn() const noexcept { return in_turn_; }
  std::string place() const;  // "seed 7 at 1003.250000 s", for messages

 private:
  struct LoopEntry {
    Loop* loop;
    SimEngine* engine;
    HostIndex host;
    std::uint32_t life;
  };

  void dispatch(const Event& event);
  bool can_run(const LoopEntry& entry) const;
  bool has_runnable() const;
  bool give_turn();
  Instant next_wanted() const;
  void count_step();

  std::uint64_t seed_;
  std::uint64_t turns_without_time_;
  std::uint64_t turns_now_ = 0;
  std::chrono::system_clock::time_point start_date_;
  std::vector<SimEngine*> engines_;
  std::vector<LoopEntry> loops_;
  std::vector<std::size_t> runnable_;
  std::map<std::string, std::vector<Address>> names_;
  std::vector<std::uint32_t> lives_;
  std::vector<std::vector<std::unique_ptr<TransitCloser>>> closers_;
  bool in_turn_ = false;
};

}  // namespace hawser::sim::detail
