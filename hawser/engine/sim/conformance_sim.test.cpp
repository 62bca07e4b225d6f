// The conformance suite for the simulator: on the clean network, and on a host whose kernel
// completes late, starves and cancels in every order.
#include <hawser/engine/sim/world.hpp>
#include <hawser/engine/testing/conformance.hpp>

#include <array>

namespace hawser::testing {
namespace {

class SimWorld final : public EngineWorld {
 public:
  explicit SimWorld(const sim::Faults& faults) : world_(1) {
    world_.set_faults(faults);
    for (auto& engine : engines_) {
      engine = world_.host("machine").make_engine();
      engine->start();
    }
  }
  Engine& server() override { return *engines_[0]; }
  Engine& sibling() override { return *engines_[1]; }
  Engine& client() override { return *engines_[2]; }
  Address server_address(std::uint16_t port) override { return Address::loopback(port); }
  std::string unix_path() override { return "/run/conformance-" + std::to_string(paths_++); }
  PeerCredentials credentials() override {
    world_.host("machine").set_credentials({77, 1001, 1002});
    return {77, 1001, 1002};
  }
  void turn() override {
    const std::uint64_t before = progress();
    const bool wait = idle_turns_ > 0;  // virtual time costs nothing
    for (auto& engine : engines_) {
      const bool waits = wait && engine == engines_[idle_turns_ % engines_.size()];
      engine->poll(waits ? world_.now() + 500us : world_.now());
    }
    idle_turns_ = progress() == before ? idle_turns_ + 1 : 0;
  }

 private:
  std::uint64_t progress() const {
    std::uint64_t sum = 0;
    for (const auto& engine : engines_) {
      const EngineCounters& counters = engine->counters();
      sum += counters.receives + counters.sends + counters.accepts;
    }
    return sum;
  }
  sim::World world_;
  std::array<std::unique_ptr<Engine>, 3> engines_;
  unsigned paths_ = 0;
  std::size_t idle_turns_ = 0;
};

EngineFamily sim_family(std::string name, const sim::Faults& faults) {
  return {std::move(name), [faults]() -> Result<std::unique_ptr<EngineWorld>> {
            return std::make_unique<SimWorld>(faults);
          }};
}

// No split reads here: the suite takes it for granted that three bytes arrive together.
sim::Faults rough() {
  sim::Faults faults;
  faults.completion_delay = 100us;
  faults.receive_starvation = 0.1;
  return faults;
}

sim::Faults cancelling(double late) {
  sim::Faults faults;
  faults.late_cancels = late;
  return faults;
}

INSTANTIATE_TEST_SUITE_P(Sim, EngineConformance,
                         ::testing::Values(sim_family("sim", sim::Faults::none()),
                                           sim_family("rough", rough()),
                                           sim_family("late", cancelling(1)),
                                           sim_family("prompt", cancelling(0))),
                         family_name);

}  // namespace
}  // namespace hawser::testing
