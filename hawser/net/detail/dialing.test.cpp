// Dialing against simulated hosts that answer, refuse or keep silent: which address wins and when,
// what the reason of a failure says, and that nothing is left whenever it ends.
#include <hawser/net/detail/dialing.hpp>

#include <hawser/engine/sim/seeds.hpp>
#include <hawser/net/detail/address_order.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <gmock/gmock.h>

#include <optional>

namespace hawser::detail {
namespace {

using ::testing::HasSubstr;
using testing::NetWorld;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::uint16_t port = 7;

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
class Caller final : public Dialing::Owner, public StreamEvents {
 public:
  explicit Caller(NetWorld& net) : net_(net) {}

  void start(DialOptions options) {
    on_scheduler([&](Scheduler& scheduler) {
      scheduler_ = &scheduler;
      begun = scheduler.now();
      dialing = std::make_shared<Dialing>(scheduler, *this, std::move(options));
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

  std::shared_ptr<Dialing> dialing;
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
using Family = Service::Family;

struct DialingTest : ::testing::Test {
  NetWorld net;
  Service service{net};
  Caller caller{net};

  static DialOptions to(DialOptions options = {}) {
    if (options.host.empty()) options.host = "service";
    options.port = port;
    return options;
  }
  std::string dial(DialOptions options = {}) {
    caller.start(to(std::move(options)));
    return caller.end();
  }
};

constexpr Duration slack = 3ms;  // look-up, two ways, and the tick in which a timer fires

TEST_F(DialingTest, goes_to_the_second_250_ms_after_a_silent_first) {
  service.silent();
  const Address second = service.answers();
  EXPECT_EQ(dial(), second.text());
  EXPECT_GE(caller.took(), Duration(250ms));
  EXPECT_LE(caller.took(), Duration(250ms) + slack);
}

TEST_F(DialingTest, a_black_hole_of_ipv6_costs_one_delay_however_many_addresses_it_has) {
  for (int i = 0; i < 4; ++i) service.silent(Family::ipv6);
  const Address last = service.answers();
  EXPECT_EQ(dial(), last.text());
  EXPECT_LE(caller.took(), Duration(250ms) + slack);
}

TEST_F(DialingTest, prefers_the_family_that_the_setting_names) {
  service.answers();
  const Address six = service.answers(100us, Family::ipv6);
  EXPECT_EQ(dial({.first_family = FirstFamily::ipv6}), six.text());
  EXPECT_LE(caller.took(), slack);
}

TEST_F(DialingTest, keeps_the_look_ups_order_when_all_answer) {
  const Address first = service.answers(100ms);
  service.answers(1ms);
  EXPECT_EQ(dial(), first.text()) << "it answers after 200 ms, before the second's turn";
}

TEST_F(DialingTest, goes_to_the_next_at_once_when_one_refuses) {
  for (int i = 0; i < 5; ++i) service.refuses();
  const Address last = service.answers();
  EXPECT_EQ(dial(), last.text());
  EXPECT_LE(caller.took(), slack);
}

TEST_F(DialingTest, goes_to_the_next_at_once_when_there_is_no_way) {
  net.world().add_name("service", Address::ipv4({192, 168, 9, 9}, 0));  // nobody's
  const Address second = service.answers();
  EXPECT_EQ(dial(), second.text());
  EXPECT_LE(caller.took(), slack);
}

TEST_F(DialingTest, an_older_attempt_that_fails_does_not_hurry_the_next) {
  service.refuses(150ms);  // its refusal comes at 300 ms, when the second is 50 ms old
  service.silent();
  const Address third = service.answers();
  EXPECT_EQ(dial(), third.text());
  EXPECT_GE(caller.took(), Duration(500ms));
  EXPECT_LE(caller.took(), Duration(500ms) + slack);
}

TEST_F(DialingTest, earlier_attempts_go_on_and_the_first_to_connect_wins) {
  const Address slow = service.answers(200ms);  // at 400 ms
  service.silent();                             // from 250 ms
  service.answers(10ms);                        // not before 520 ms
  EXPECT_EQ(dial(), slow.text());
  EXPECT_GE(caller.took(), Duration(400ms));
  EXPECT_LE(caller.took(), Duration(400ms) + slack);
}

TEST_F(DialingTest, the_winner_closes_the_others_at_once) {
  service.silent();
  service.answers(400ms);  // at 1,050 ms
  service.answers(50ms);   // at 600 ms
  caller.start(to());
  ASSERT_TRUE(net.until([&] { return caller.told > 0; }, 10s));
  EXPECT_LE(caller.took(), Duration(600ms) + slack);
  net.run(1ms);
  EXPECT_EQ(net.left().sockets, 0u) << "nobody waits for the losers' answers";
  caller.end();
}

TEST_F(DialingTest, of_two_that_connect_in_one_instant_one_wins) {
  service.answers(150ms);
  service.answers(25ms);  // both at 300 ms, give or take the tick
  for (int i = 0; i < 20; ++i) {
    Caller again(net);
    again.start(to({.attempt_delay = 249ms + i * 100us}));
    again.end();
    EXPECT_TRUE(again.connected_to);
  }
}

TEST_F(DialingTest, the_delay_between_attempts_is_a_setting) {
  for (int i = 0; i < 3; ++i) service.silent();
  service.answers();
  dial({.attempt_delay = 10ms});
  EXPECT_TRUE(caller.connected_to);
  EXPECT_GE(caller.took(), Duration(30ms));
  EXPECT_LE(caller.took(), Duration(30ms) + 3 * slack);
}

TEST_F(DialingTest, without_a_delay_the_next_waits_for_the_failure_of_the_one_before) {
  service.refuses(500ms);
  service.refuses(700ms);
  const Address third = service.answers();
  EXPECT_EQ(dial({.attempt_delay = Duration::max()}), third.text());
  EXPECT_GE(caller.took(), Duration(2400ms));
  EXPECT_LE(caller.took(), Duration(2400ms) + slack);
}

TEST_F(DialingTest, all_that_refuse_are_named_each_with_its_error) {
  const std::string first = service.refuses().text();
  const std::string second = service.refuses(1ms, Family::ipv6).text();
  const std::string end = dial();
  EXPECT_THAT(end, StartsWith("failed: connect service:7: none of 2 addresses connected: "));
  EXPECT_THAT(end, HasSubstr("nobody listens on " + first));
  EXPECT_THAT(end, HasSubstr("nobody listens on " + second));
  EXPECT_LE(caller.took(), slack + Duration(2ms));
}

TEST_F(DialingTest, all_that_are_silent_time_out_together) {
  const std::string first = service.silent().text();
  const std::string second = service.silent().text();
  EXPECT_EQ(dial({.timeout = 3s}), "timeout: connect service:7: no answer within 3 s: " + first +
                                       ": no answer; " + second + ": no answer");
  EXPECT_GE(caller.took(), Duration(3s));
  EXPECT_LE(caller.took(), Duration(3s) + slack);
}

TEST_F(DialingTest, one_silent_among_refusals_is_a_time_out_that_names_both_kinds) {
  const std::string refusing = service.refuses().text();
  const std::string silent = service.silent().text();
  const std::string end = dial({.timeout = 3s});
  EXPECT_THAT(end, StartsWith("timeout: connect service:7: no answer within 3 s: "));
  EXPECT_THAT(end, HasSubstr("nobody listens on " + refusing));
  EXPECT_THAT(end, HasSubstr(silent + ": no answer"));
}

TEST_F(DialingTest, says_how_many_had_no_turn_before_the_end) {
  for (int i = 0; i < 6; ++i) service.silent();
  EXPECT_THAT(dial({.timeout = 600ms}), HasSubstr("; 3 more not tried in time"));
  EXPECT_LE(caller.took(), Duration(600ms) + slack);
}

TEST_F(DialingTest, without_a_limit_the_kernels_patience_is_the_end) {
  service.silent();
  service.refuses();  // the youngest is long over when the older one ends
  const std::string end = dial({.timeout = Duration::max()});
  EXPECT_THAT(end, StartsWith("timeout: connect service:7: none of 2 addresses connected: "));
  EXPECT_THAT(end, HasSubstr("does not answer (ETIMEDOUT)"));
  EXPECT_GE(caller.took(), Duration(120s));
  EXPECT_LE(caller.took(), Duration(130s));
}

TEST_F(DialingTest, tries_an_address_once_however_often_it_was_found) {
  const Address refusing = service.refuses();
  for (int i = 0; i < 3; ++i) net.world().add_name("service", refusing);
  EXPECT_THAT(dial(),
              StartsWith("failed: connect service:7: nobody listens on " + refusing.text()));
}

TEST_F(DialingTest, tries_no_more_addresses_than_the_limit) {
  for (int i = 0; i < 5; ++i) service.refuses();
  service.answers();
  const std::string end = dial({.max_addresses = 5});
  EXPECT_THAT(end, StartsWith("failed: connect service:7: none of 6 addresses connected: "));
  EXPECT_THAT(end, HasSubstr("; 1 more left out, max_addresses is 5"));
}

TEST_F(DialingTest, the_default_limit_is_16_and_reaches_both_families) {
  for (int i = 0; i < 20; ++i) service.refuses(100us, Family::ipv6);
  const Address four = service.answers();
  EXPECT_EQ(dial(), four.text());
}

TEST_F(DialingTest, the_text_stays_within_its_limit) {
  for (int i = 0; i < 70; ++i) service.refuses(10us, Family::ipv6);
  const std::string end = dial({.max_addresses = 64});
  EXPECT_LE(caller.reason.detail().size(), Dialing::text_limit);
  EXPECT_GE(caller.reason.detail().size(), Dialing::text_limit / 2);
  EXPECT_THAT(end, HasSubstr(" more likewise without success; 6 more left out"));
}

TEST_F(DialingTest, names_a_host_that_does_not_exist) {
  EXPECT_THAT(dial({.host = "nowhere"}),
              StartsWith("failed: connect nowhere:7: \"nowhere\" is unknown"));
}

TEST_F(DialingTest, a_slow_look_up_ends_with_the_time_out_and_its_answer_finds_nobody) {
  service.answers();
  sim::Faults slow = net.world().faults();
  slow.slow_blocking = 1;
  slow.blocking_slow = {5s, 5s};
  const sim::Rule rule = net.world().host("server").impose(slow);
  caller.start(to({.timeout = 2s}));
  caller.destroys_in_callback = false;
  EXPECT_EQ(caller.end(), "timeout: connect service:7: the host's name was not found within 2 s");
  EXPECT_LE(caller.took(), Duration(2s) + slack);
  net.run(10s);
  EXPECT_EQ(caller.told, 1u);
  EXPECT_EQ(net.left().sockets, 0u);
}

TEST_F(DialingTest, the_look_ups_time_counts) {
  service.silent();
  sim::Faults slow = net.world().faults();
  slow.slow_blocking = 1;
  slow.blocking_slow = {1500ms, 1500ms};
  const sim::Rule rule = net.world().host("server").impose(slow);
  EXPECT_THAT(dial({.timeout = 2s}),
              StartsWith("timeout: connect service:7: no answer within 2 s"));
  EXPECT_LE(caller.took(), Duration(2s) + slack);
}

TEST_F(DialingTest, an_address_written_out_waits_for_no_look_up) {
  const Address four = service.answers();
  const Address six = service.answers(100us, Family::ipv6);
  sim::Faults slow = net.world().faults();
  slow.slow_blocking = 1;
  slow.blocking_slow = {5s, 5s};
  const sim::Rule rule = net.world().host("server").impose(slow);
  for (const Address& each : {four, six}) {
    Caller again(net);
    again.start(to({.host = each.host()}));
    EXPECT_EQ(again.end(), each.text());
    EXPECT_LE(again.took(), slack);
  }
}

TEST_F(DialingTest, goes_to_a_unix_socket) {
  const Address address = Address::unix_path("/run/x");
  EXPECT_THAT(dial({.address = address}),
              StartsWith("failed: connect unix:/run/x: nothing is at "));
  const Answering answering(net.world().host("server"), address);
  Caller again(net);
  again.start(to({.address = address}));
  again.end();
  EXPECT_TRUE(again.connected_to);
}

TEST_F(DialingTest, leaves_out_addresses_that_the_local_side_cannot_reach) {
  service.answers(100us, Family::ipv6);
  const Address four = service.answers();
  EXPECT_EQ(dial({.from = net.world().host("server").address(0)}), four.text());
  Caller none(net);
  none.start(to({.host = "fd00::107", .from = Address::any_ipv4(0)}));
  EXPECT_THAT(none.end(), HasSubstr("the host has no address of the family of 0.0.0.0:0"));
}

TEST_F(DialingTest, with_a_local_port_attempts_go_one_after_the_other) {
  service.refuses(500ms);
  const Address second = service.answers();
  EXPECT_EQ(dial({.from = net.world().host("server").address(4000)}), second.text())
      << caller.reason.text();
  EXPECT_GE(caller.took(), Duration(1s));
}

TEST_F(DialingTest, settings_that_cannot_be_used_are_all_named) {
  DialOptions options = to({.timeout = 0s, .attempt_delay = 1ms, .max_addresses = 0});
  options.port = 0;
  caller.start(options);
  const std::string end = caller.end();
  EXPECT_THAT(end, StartsWith("failed: connect service:0: "));
  for (const char* each : {"port: ", "timeout: ", "attempt_delay: 1ms", "max_addresses: 0"})
    EXPECT_THAT(end, HasSubstr(each));
}

TEST_F(DialingTest, a_machine_without_descriptors_is_named) {
  service.answers();
  service.answers();
  auto& host = net.world().host("server");
  host.set_descriptor_limit(host.open_descriptors());
  const std::string end = dial();
  EXPECT_THAT(end, StartsWith("failed: connect service:7: none of 2 addresses connected: "));
  EXPECT_THAT(end, HasSubstr("EMFILE"));
}

TEST_F(DialingTest, destroyed_at_any_moment_it_leaves_nothing_and_tells_nobody) {
  service.silent();
  service.refuses(100ms);  // 250 … 450 ms
  service.silent();        // from 450 ms
  service.answers(10ms);   // 700 … 720 ms
  unsigned ended_before = 0;
  for (Duration moment = 0s; moment < Duration(730ms);
       moment += moment < Duration(1ms) ? Duration(20us) : Duration(3ms)) {
    SCOPED_TRACE(moment.count());
    Caller one(net);
    one.start(to());
    net.run(moment);
    one.destroy();
    const unsigned told = one.told;
    ended_before += told;
    net.run(300ms);
    EXPECT_EQ(one.told, told);
    one.expect_nothing_left();
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(ended_before, 0u) << "the last moments lie after the end";
  EXPECT_LT(ended_before, 10u);
}

TEST_F(DialingTest, an_owner_may_keep_it_after_the_end) {
  caller.destroys_in_callback = false;
  service.silent();
  service.answers();
  dial();
  EXPECT_TRUE(caller.connected_to);
  Caller failing(net);
  failing.destroys_in_callback = false;
  failing.start(to({.host = "nowhere"}));
  failing.end();
  for (Caller* each : {&caller, &failing}) each->destroy();
}

// ---- against a model ---------------------------------------------------------------------------

struct Behaviour {
  enum class Kind : std::uint8_t { answers, refuses, silent } kind;
  Duration round_trip;
};

/// When each attempt begins if each timer fires `late` after its time, and what comes of it.
struct Forecast {
  std::vector<Instant> connects;  // never() for those that do not
  Instant first_connect = Instant::never();
  Instant all_refused = Instant::never();
};
Forecast forecast(const std::vector<Behaviour>& row, Instant begin, Duration delay, Duration late) {
  Forecast result;
  Instant last_refusal = begin;
  bool all_refuse = true;
  for (const Behaviour& each : row) {
    const Instant answer = begin + each.round_trip + late;
    result.connects.push_back(each.kind == Behaviour::Kind::answers ? answer : Instant::never());
    result.first_connect = std::min(result.first_connect, result.connects.back());
    Instant next = begin + delay + late;
    if (each.kind == Behaviour::Kind::refuses) {
      next = std::min(next, answer);
      last_refusal = std::max(last_refusal, answer);
    } else {
      all_refuse = false;
    }
    begin = next;
  }
  if (all_refuse) result.all_refused = last_refusal;
  return result;
}

TEST(DialingProperty, connects_as_early_as_the_addresses_allow) {
  unsigned connected = 0, refused = 0, timed_out = 0, destroyed = 0;
  const auto report = sim::for_each_seed(
      200,
      [&](sim::World& world) {
        NetWorld net(world, 1);
        Service service(net);
        Caller caller(net);
        Random& random = world.random();
        const auto between = [&](Duration least, Duration most) {
          return least + Duration{static_cast<Duration::rep>(
                             random.below(static_cast<std::uint64_t>((most - least).count())))};
        };
        std::vector<Address> found;
        std::vector<Behaviour> behaviours;
        const bool hopeless = random.chance(0.3);
        for (auto left = 1 + random.below(8); left > 0; --left) {
          const Family family = random.chance(0.5) ? Family::ipv4 : Family::ipv6;
          const Duration way = random.chance(0.5) ? between(100us, 5ms) : between(5ms, 400ms);
          const auto kind =
              static_cast<Behaviour::Kind>(hopeless ? 1 + random.below(2) : random.below(3));
          found.push_back(kind == Behaviour::Kind::answers   ? service.answers(way, family)
                          : kind == Behaviour::Kind::refuses ? service.refuses(way, family)
                                                             : service.silent(family));
          behaviours.push_back({kind, 2 * way});
          if (random.chance(0.2)) world.add_name("service", found[random.below(found.size())]);
        }
        const DialOptions options{.host = "service",
                                  .port = port,
                                  .timeout = between(200ms, 4s),
                                  .attempt_delay = between(10ms, 500ms),
                                  .first_family = static_cast<FirstFamily>(random.below(3))};
        std::vector<Behaviour> row;
        for (const Address& each : interleaved(found, options.first_family))
          row.push_back(
              behaviours[static_cast<std::size_t>(std::ranges::find(found, each) - found.begin())]);

        caller.start(options);
        if (random.chance(0.15)) {
          net.run(between(0s, 1s));
          caller.destroy();
          const unsigned told = caller.told;
          net.run(5s);
          EXPECT_EQ(caller.told, told);
          caller.expect_nothing_left();
          ++destroyed;
          return;
        }
        const std::string end = caller.end();
        // The look-up takes 50 to 200 µs; a timer is up to 1 ms late.
        const Forecast soonest = forecast(row, caller.begun + 50us, options.attempt_delay, 0s);
        const Forecast latest = forecast(row, caller.begun + 1ms, options.attempt_delay, 1200us);
        const Instant deadline = caller.begun + options.timeout;
        if (caller.connected_to) {
          ++connected;
          EXPECT_GE(caller.ended, soonest.first_connect);
          EXPECT_LE(caller.ended, latest.first_connect);
          const auto order = interleaved(found, options.first_family);
          const auto winner = static_cast<std::size_t>(
              std::ranges::find(order, *caller.connected_to) - order.begin());
          ASSERT_LT(winner, row.size());
          EXPECT_LE(soonest.connects[winner], latest.first_connect) << "another was sooner";
        } else if (caller.reason.kind() == Reason::Kind::failed) {
          ++refused;
          EXPECT_NE(soonest.all_refused, Instant::never()) << end;
          EXPECT_GE(caller.ended, soonest.all_refused);
          EXPECT_LE(caller.ended, latest.all_refused);
        } else {
          ++timed_out;
          EXPECT_EQ(caller.reason.kind(), Reason::Kind::timeout) << end;
          EXPECT_GE(caller.ended, deadline);
          EXPECT_LE(caller.ended, deadline + 2ms);
          EXPECT_GE(std::min(latest.first_connect, latest.all_refused), deadline) << end;
        }
      },
      {.has_failed = [] { return ::testing::Test::HasFailure(); },
       .arguments = "--gtest_filter=DialingProperty.connects_as_early_as_the_addresses_allow"});
  EXPECT_TRUE(report) << report.reason;
  if (report.runs == 200) {
    for (const unsigned each : {connected, refused, timed_out, destroyed}) EXPECT_GE(each, 10u);
  }
}

TEST(DialingProperty, tells_once_and_leaves_nothing_in_any_weather) {
  const auto report = sim::for_each_seed(
      200,
      [](sim::World& world) {
        NetWorld net(world, 1);
        Random& random = world.random();
        world.set_faults(sim::Faults::swarm(random));
        Service service(net);
        for (auto left = random.below(6); left > 0; --left) {
          random.chance(0.3)   ? service.silent()
          : random.chance(0.5) ? service.refuses(3ms)
                               : service.answers(3ms);
        }
        std::vector<std::unique_ptr<Caller>> callers;
        for (int i = 0; i < 5; ++i) {
          callers.push_back(std::make_unique<Caller>(net));
          callers.back()->start({.host = "service", .port = port, .timeout = 7s});
          net.run(Duration{static_cast<Duration::rep>(random.below(300'000'000))});
        }
        net.run(8s);
        for (const auto& each : callers) EXPECT_EQ(each->told, 1u);
        net.run(10s);  // whatever the kernel still holds
        for (const auto& each : callers) EXPECT_EQ(each->told, 1u);
        callers.front()->expect_nothing_left();
      },
      {.has_failed = [] { return ::testing::Test::HasFailure(); },
       .arguments = "--gtest_filter=DialingProperty.tells_once_and_leaves_nothing_in_any_weather"});
  EXPECT_TRUE(report) << report.reason;
}

}  // namespace
}  // namespace hawser::detail
