// Three engines over the kernel, polled in turn on one thread over 127.0.0.1. Internal to the
// tests.
#pragma once

#include <hawser/engine/detail/blocking_pool.hpp>
#include <hawser/engine/testing/conformance.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>

namespace hawser::testing {

class RealWorld final : public EngineWorld {
 public:
  using MakeEngine = std::function<Result<std::unique_ptr<Engine>>(detail::BlockingPool&)>;

  static Result<std::unique_ptr<EngineWorld>> make(const MakeEngine& make_engine) {
    auto world = std::make_unique<RealWorld>();
    for (std::unique_ptr<Engine>& engine : world->engines_) {
      Result<std::unique_ptr<Engine>> made = make_engine(world->pool_);
      if (!made) return std::unexpected(made.error());
      engine = std::move(*made);
      engine->start();
    }
    return world;
  }
  ~RealWorld() override {
    for (const std::string& path : paths_) ::unlink(path.c_str());
  }

  Engine& server() override { return *engines_[0]; }
  Engine& sibling() override { return *engines_[1]; }
  Engine& client() override { return *engines_[2]; }
  Address server_address(std::uint16_t port) override { return Address::loopback(port); }
  std::string unix_path() override {
    static std::atomic<unsigned> number{0};
    const std::string name = "hawser-conformance-" + std::to_string(::getpid()) + "-" +
                             std::to_string(number.fetch_add(1)) + ".sock";
    paths_.push_back(std::filesystem::temp_directory_path() / name);
    return paths_.back();
  }
  PeerCredentials credentials() override { return {::getpid(), ::getuid(), ::getgid()}; }
  void turn() override {
    const std::uint64_t before = progress();
    // Only after some turns without anything does one engine wait, so that the machine can act.
    const bool wait = idle_turns_ > 8;
    for (std::unique_ptr<Engine>& engine : engines_) {
      const bool waits = wait && engine == engines_[idle_turns_ % engines_.size()];
      engine->poll(waits ? engine->read_clock() + 500us : engine->now());
    }
    idle_turns_ = progress() == before ? idle_turns_ + 1 : 0;
  }

 private:
  std::uint64_t progress() const {
    std::uint64_t sum = 0;
    for (const std::unique_ptr<Engine>& engine : engines_) {
      const EngineCounters& counters = engine->counters();
      sum += counters.receives + counters.sends + counters.accepts;
    }
    return sum;
  }
  detail::BlockingPool pool_{2};
  std::array<std::unique_ptr<Engine>, 3> engines_;
  std::vector<std::string> paths_;
  std::size_t idle_turns_ = 0;
};

}  // namespace hawser::testing
