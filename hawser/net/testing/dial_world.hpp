// A name with hosts behind it that answer, refuse or keep silent, and one who dials it and writes
// down what it is told. Internal to the tests of this layer and those above.
#pragma once

#include <hawser/net/detail/dialing.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser::testing {

/// A program that listens and never accepts: its kernel does the rest.
class Answering final : public AcceptEvents {
 public:
  Answering(sim::Host& host, const Address& at) : engine_(host.make_engine()) {
    engine_->start();
    auto listening = engine_->listen(at, {.start_paused = true}, *this);
    if (!listening) throw std::runtime_error(listening.error().text());
  }
  void on_accepted(NativeSocket) override {}
  void on_accept_failed(const Error&, bool) override {}

 private:
  std::unique_ptr<Engine> engine_;
};

/// Dials on the first scheduler and writes down what it is told.
class Caller final : public detail::Dialing::Owner, public StreamEvents {
 public:
  explicit Caller(NetWorld& net) : net_(net) {}

  void start(DialOptions options) {
    on_scheduler([&](Scheduler& scheduler) {
      scheduler_ = &scheduler;
      begun = scheduler.now();
      dialing = std::make_shared<detail::Dialing>(scheduler, *this, std::move(options));
      dialing->start();
      EXPECT_EQ(told, 0u) << "from inside start()";
    });
  }
  void destroy() {
    on_scheduler([&](Scheduler&) { dialing.reset(); });
  }
  void on_scheduler(std::move_only_function<void(Scheduler&)> work) {
    ASSERT_TRUE(net_.system->run_on(0, std::move(work)));
  }
  /// Waits for the end and answers its reason, or where it is connected.
  std::string end(Duration limit = 1h) {
    EXPECT_TRUE(net_.until([&] { return told > 0; }, limit));
    net_.run(1s);  // whatever might still come
    EXPECT_EQ(told, 1u);
    expect_nothing_left();
    return connected_to ? connected_to->text() : reason.text();
  }
  void expect_nothing_left() {
    const auto left = net_.left();
    EXPECT_EQ(left.sockets, 0u);
    on_scheduler([](Scheduler& scheduler) { EXPECT_EQ(scheduler.timers().armed(), 0u); });
  }
  Duration took() const { return ended - begun; }

  std::shared_ptr<detail::Dialing> dialing;
  unsigned told = 0;
  bool destroys_in_callback = true;
  std::optional<Address> connected_to;
  Reason reason;
  Instant begun;
  Instant ended;

 private:
  void dialed(NativeSocket socket) override {
    tell();
    auto id = scheduler_->engine().adopt(std::move(socket), *this);
    ASSERT_TRUE(id);
    auto peer = scheduler_->engine().peer(*id);
    ASSERT_TRUE(peer);
    connected_to = *peer;
    scheduler_->engine().close_now(*id);
  }
  void dial_failed(Reason why) override {
    tell();
    reason = std::move(why);
  }
  void tell() {
    ++told;
    ended = scheduler_->now();
    if (destroys_in_callback) dialing.reset();
  }
  void on_received(BytesView) override {}
  void on_end_of_stream() override {}
  void on_failed(const Error&) override {}

  NetWorld& net_;
  Scheduler* scheduler_ = nullptr;
};

/// The name "service", and the hosts behind it.
class Service {
 public:
  static constexpr std::uint16_t port = 7;
  explicit Service(NetWorld& net) : net_(net) {
    net.world().host("server").add_interface(six(0), "lan", 64);
  }
  static Address six(std::uint8_t last) {
    return Address::ipv6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, last}, port);
  }
  enum class Family : std::uint8_t { ipv4, ipv6 };

  /// Answers after `latency` there and back, by a refusal unless something listens.
  Address refuses(Duration latency = 100us, Family family = Family::ipv4) {
    const std::string name = "to" + std::to_string(hosts_++);
    sim::Host& host = net_.world().host(name);
    Address address = host.address(port);
    if (family == Family::ipv6) {
      address = six(static_cast<std::uint8_t>(hosts_));
      host.add_interface(address, "lan", 64);
    }
    sim::Faults faults = net_.world().faults();
    faults.latency = latency;
    rules_.push_back(net_.world().impose("server", name, faults));
    rules_.push_back(net_.world().impose(name, "server", faults));
    last_ = name;
    net_.world().add_name("service", address);
    return address;
  }
  Address answers(Duration latency = 100us, Family family = Family::ipv4) {
    const Address address = refuses(latency, family);
    answering_.push_back(std::make_unique<Answering>(net_.world().host(last_), address));
    return address;
  }
  Address silent(Family family = Family::ipv4) {
    const Address address = answers(100us, family);
    net_.world().cut("server", last_);
    return address;
  }

 private:
  NetWorld& net_;
  std::size_t hosts_ = 0;
  std::string last_;
  std::vector<sim::Rule> rules_;
  std::vector<std::unique_ptr<Answering>> answering_;
};

}  // namespace hawser::testing
