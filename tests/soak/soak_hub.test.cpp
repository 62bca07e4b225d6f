// The whole hub in thousands of bad days: chaotic clients on a faulty network, handlers that crash,
// hosts that vanish. Whoever behaves on a healthy link gets all that is promised; the bus keeps its
// order; no end goes unreported; and when everything has stopped nothing is left.
#include "support/chaos.hpp"
#include "support/moody.hpp"
#include "support/script.hpp"

#include <hawser/engine/sim/seeds.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hawser::soak {
namespace {

constexpr std::size_t topic_waiting = 60;
constexpr std::size_t queue_waiting = 300;
constexpr int queues = 5;
constexpr int rounds = 400;

hub::HubOptions drawn_options(Random& random) {
  hub::HubOptions options;
  const auto limits = [&](ServerOptions& server) {
    server.connection.high_water = 30'000;
    server.connection.low_water = 6'000;
    server.connection.send_limit = 2'000'000;
    server.connection.packets_per_turn = static_cast<std::uint32_t>(1 + random.below(8));
    server.connection.packet_timeout = 20s;
    server.connection.write_deadline = 20s;
    server.connection.flush_deadline = 3s;
    server.connection.idle_timeout = 150s;
    server.drain_deadline = 5s;
    server.max_connections = 12 + random.below(30);
    server.at_limit = random.below(2) == 0 ? AtLimit::close : AtLimit::leave_in_backlog;
    server.spread = random.below(3) == 0 ? AcceptSpread::per_scheduler : AcceptSpread::hand_over;
  };
  limits(options.stomp_server);
  limits(options.packet_server);
  options.bus.topic.waiting_messages = topic_waiting;
  options.bus.topic.waiting_bytes = 500'000;
  options.bus.queue.messages = queue_waiting;
  options.bus.queue.bytes = 1'000'000;
  constexpr std::array<std::uint32_t, 4> windows{1, 3, 16, 64};
  options.broker.session.prefetch = windows.at(random.below(windows.size()));
  options.broker.session.parser = parser_options();
  options.broker.session.subscription_id = 40;
  options.broker.session.destination = 40;
  options.broker.session.receipt = 200;
  options.broker.session.subscriptions = 20;
  options.broker.session.login_timeout = 8s;
  return options;
}

/// What happened in all days together: a soak in which one of these never does tests nothing.
struct Coverage {
  std::uint64_t delivered = 0;    ///< messages that reached clients
  std::uint64_t receipted = 0;    ///< of the two queues that lose nothing
  std::uint64_t refused = 0;      ///< by a full queue
  std::uint64_t slow = 0;         ///< subscribers ended for slowness
  std::uint64_t pauses = 0;       ///< connections that stopped reading at their high-water mark
  std::uint64_t crashes = 0;      ///< handlers that threw
  std::uint64_t not_started = 0;  ///< of them in init
  std::uint64_t protocol_errors = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t at_limit = 0;  ///< refused or made to wait at max_connections
  std::uint64_t accept_errors = 0;
  std::uint64_t cut_off = 0;

  void add(const ServerStatus& status) {
    pauses += status.pauses;
    crashes += status.ended_by(Reason::Kind::crash);
    not_started += status.not_started;
    protocol_errors += status.ended_by(Reason::Kind::protocol_error);
    timeouts += status.ended_by(Reason::Kind::timeout);
    at_limit += status.refused + (status.connections == status.max_connections ? 1 : 0);
    accept_errors += status.accept_errors;
    cut_off += status.cut_off;
  }
  /// Each figure with its name.
  std::vector<std::pair<const char*, std::uint64_t>> figures() const {
    return {{"delivered", delivered},
            {"receipted", receipted},
            {"refused", refused},
            {"slow", slow},
            {"pauses", pauses},
            {"crashes", crashes},
            {"not_started", not_started},
            {"protocol_errors", protocol_errors},
            {"timeouts", timeouts},
            {"at_limit", at_limit},
            {"accept_errors", accept_errors},
            {"cut_off", cut_off}};
  }
};

/// What holds at every moment.
void expect_bounds(SoakWorld& hub, const hub::HubOptions& options) {
  for (const char* name : {"stomp", "packet", "moody"}) {
    const ServerStatus status = hub.status(name);
    std::uint64_t ended = 0;
    for (const auto count : status.ended) ended += count;
    EXPECT_LE(status.connections, status.max_connections) << name;
    // Each that began has ended or is open: no end is lost or counted twice.
    EXPECT_GE(status.started, ended) << name;
    EXPECT_LE(status.started - ended, status.connections) << name;
    const auto connections = server_connections(hub.system(), name);
    ASSERT_TRUE(connections.has_value());
    for (const ConnectionInfo& each : *connections)
      EXPECT_LE(each.unsent, options.stomp_server.connection.send_limit) << name;
  }
  const bus::BusStatistics bus = hub.bus_statistics();
  EXPECT_LE(bus.waiting_messages, queues * queue_waiting);
  EXPECT_LE(bus.waiting_bytes,
            queues * options.bus.queue.bytes + bus.subscriptions * options.bus.topic.waiting_bytes);
}

/// Every connection of the broker, for the report of a failure.
std::string connections_text(SoakWorld& hub) {
  std::string text;
  const auto connections = server_connections(hub.system(), "stomp");
  if (!connections) return connections.error().text();
  for (const ConnectionInfo& each : *connections)
    text += each.pid.text() + " " + each.peer.text() + ": " + std::to_string(each.bytes_in) +
            " in, " + std::to_string(each.bytes_out) + " out, " + std::to_string(each.unsent) +
            " unsent, " + (each.reading ? "reading" : "not reading") + "\n";
  return text;
}

/// One bad day; what came of it is in the world's digest.
void run_day(sim::World& world, Coverage& coverage) {
  Random& random = world.random();
  SoakWorld hub(world, 2 + static_cast<unsigned>(random.below(2)));
  const hub::HubOptions options = drawn_options(random);
  Lives lives;
  const MoodyPlan plan = MoodyPlan::drawn(random);
  auto watcher = hub.system().spawn<Watcher>({}, &lives);
  ASSERT_TRUE(watcher.has_value());
  const Left before = hub.left();
  const hub::HubAddresses at = hub.start_hub(options);
  const Address moody = hub.serve<Moody>("moody", options.packet_server, &lives,
                                         static_cast<const MoodyPlan*>(&plan), watcher->pid());

  {
    BusModel model;
    // The well-behaved have a link of their own, which is healthy whatever the seed does elsewhere.
    const auto healthy_there = world.impose("good", "hub", sim::Faults::none());
    const auto healthy_back = world.impose("hub", "good", sim::Faults::none());
    Script script(hub, *at.stomp, *at.packet, model);
    ASSERT_TRUE(hub.until([&] { return script.ready(); }, 30s)) << script.text();

    world.set_faults(sim::Faults::swarm(random));
    Chaos chaos(hub, *at.stomp, {*at.packet, moody}, model);
    for (int round = 0; round < rounds; ++round) {
      chaos.act();
      if (round == rounds / 3) script.begin();
      if (round % 5 == 0) script.take_turns();
      world.run_for(Duration(static_cast<std::int64_t>(
          random.below(random.below(10) == 0 ? 3'000'000'000 : 150'000'000))));
      if (round % (rounds / 5) == 0) expect_bounds(hub, options);
    }
    EXPECT_TRUE(hub.until([&] { return script.done(); }, 60s)) << script.text() << hub.all_lines();

    const bool stop_at_once = random.below(3) == 0;
    if (!stop_at_once) {
      world.set_faults(sim::Faults::none());
      world.heal();
      chaos.calm();
      world.run_for(45s);  // longer than any stall: all that was under way has arrived
      chaos.expect_markers();
      // Whoever is still subscribed hears of everything, however slow it was.
      script.publish_markers();
      EXPECT_TRUE(hub.until([&] { return chaos.markers_seen(); }, 90s))
          << chaos.text() << connections_text(hub) << hub.all_lines();
      chaos.leave();
      script.drain_queues();
      EXPECT_TRUE(script.wait_until_empty(60s)) << script.text();
      world.run_for(1s);
      for (const char* queue : {"/queue/sure", "/queue/turns", "/queue/kept"})
        EXPECT_EQ(model.receipted_undelivered(queue), 0U)
            << model.undelivered_text(queue) << script.text() << hub.all_lines();
      script.leave();
      // What a crashed host has left behind ends by the idle time-out; and some lines are so slow
      // that what was sent before the end still arrives long after it.
      const auto anybody = [&] {
        return hub.status("stomp").connections + hub.status("packet").connections +
               hub.status("moody").connections;
      };
      for (int i = 0; i < 10 && anybody() != 0; ++i) world.run_for(160s);
      for (const char* name : {"stomp", "packet", "moody"}) {
        const ServerStatus status = hub.status(name);
        std::uint64_t ended = 0;
        for (const auto count : status.ended) ended += count;
        EXPECT_EQ(status.connections, 0U) << name << connections_text(hub);
        EXPECT_EQ(status.started, ended) << name;
      }
    }
    for (const auto& fault : model.faults) ADD_FAILURE() << fault;
    for (const auto& fault : chaos.faults()) ADD_FAILURE() << fault;
    for (const auto& fault : script.faults()) ADD_FAILURE() << fault;

    for (const char* name : {"stomp", "packet", "moody"}) coverage.add(hub.status(name));
    coverage.refused += hub.bus_statistics().refused;
    coverage.slow += hub.lines_with("is too slow");
    coverage.delivered += model.delivered_in_all();
    coverage.receipted += model.receipted_in("/queue/sure") + model.receipted_in("/queue/kept");

    const Instant begun = world.now();
    for (const char* child : {"moody", "packet", "stomp", "bus/default"})
      EXPECT_TRUE(hub.system().stop_child(child).has_value()) << child;
    // Three servers drain one after another.
    EXPECT_LE(world.now() - begun, 3 * (options.stomp_server.drain_deadline + 1s));
    for (const auto& fault : chaos.faults()) ADD_FAILURE() << fault;
  }
  world.run_for(options.stomp_server.connection.flush_deadline + 1s);
  EXPECT_EQ(hub.left(), before) << hub.left().text();

  EXPECT_EQ(lives.objects, 0);
  EXPECT_EQ(lives.terminated, lives.begun);
  EXPECT_EQ(lives.downs.size(), lives.born.size());
  for (const auto& [pid, count] : lives.downs) EXPECT_EQ(count, 1) << pid.text();
  EXPECT_EQ(hub.lines_with("check failed"), 0U);
  EXPECT_EQ(hub.lines_with("unexpected message"), 0U) << hub.all_lines();

  EXPECT_TRUE(hub.finish(10s));
  world.set_faults(sim::Faults::none());
  world.heal();
  world.run_for(1000s);
  EXPECT_EQ(world.host("hub").open_descriptors(), 0U);
  EXPECT_EQ(world.streams(), 0U);
}

TEST(SoakHub, AThousandBadDays) {
  Coverage coverage;
  int twice = 0;
  const auto report = sim::for_each_seed(
      HAWSER_SOAK_SEEDS,
      [&](sim::World& world) {
        run_day(world, coverage);
        if (world.seed() % 40 != 1 || ::testing::Test::HasFailure()) return;
        sim::World again(world.seed());
        Coverage other;
        run_day(again, other);
        EXPECT_EQ(again.digest(), world.digest()) << "the same seed, and another run";
        ++twice;
      },
      {.has_failed = [] { return ::testing::Test::HasFailure(); },
       .arguments = "--gtest_filter=SoakHub.AThousandBadDays"});
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
  RecordProperty("seeds", static_cast<int>(report.runs));
  RecordProperty("replayed", twice);
  for (const auto& [name, count] : coverage.figures()) {
    RecordProperty(name, std::to_string(count));
    if (report && report.runs >= 500) {
      EXPECT_GT(count, 0U) << "no " << name << " in all those days";
    }
  }
}

}  // namespace
}  // namespace hawser::soak
