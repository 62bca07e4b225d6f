// Lemmas and a host in a network that misbehaves, over many seeds, against a model: what was spoken
// is heard in order and once, or its speaker is told; and whoever can reach a host is connected
// again within the time that the intervals allow.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/noam/testing/noam_world.hpp>

#include <set>

namespace hawser::noam::testing {
namespace {

/// One lemma on a machine of its own, and the numbers of what it spoke.
struct Speaker {
  Speaker(sim::World& world, std::string called) : name(std::move(called)), machine(world, name) {}
  std::string name;
  Machine machine;
  Diary& diary = machine.diary();
  std::uint64_t spoken = 0;

  void speak() {
    if (machine.speak(name, "t", std::to_string(spoken + 1))) ++spoken;
  }
  /// Numbers that it was told may not have arrived.
  std::set<std::uint64_t> told() const {
    std::set<std::uint64_t> numbers;
    for (const EventLoss& loss : diary.losses)
      for (std::uint64_t number = loss.first; number <= loss.last; ++number) numbers.insert(number);
    return numbers;
  }
};

std::vector<std::uint64_t> numbers_of(const Diary& listener, const std::string& sender) {
  std::vector<std::uint64_t> numbers;
  const std::string beginning = sender + " t ";
  for (const std::string& line : listener.heard)
    if (line.starts_with(beginning)) numbers.push_back(std::stoull(line.substr(beginning.size())));
  return numbers;
}

sim::Faults rough(Random& random) {
  sim::Faults faults;
  faults.latency = Duration{static_cast<std::int64_t>(random.below(20'000'000))};
  faults.jitter = Duration{static_cast<std::int64_t>(random.below(20'000'000))};
  faults.datagram_loss = random.unit() * 0.5;
  faults.datagram_duplication = random.unit() * 0.3;
  faults.datagram_reordering = random.unit() * 0.3;
  if (random.chance(0.5)) faults.reset = random.unit() * 0.002;
  if (random.chance(0.3)) faults.connect_refused = random.unit() * 0.2;
  return faults;
}

/// The longest that it may take a lemma which can reach its host: the watchdog or the kernel
/// notices the loss, the longest back-off passes, and marcos go out until one and its polo get
/// through.
constexpr Duration back_again = 10s + 5s + 10s + 10s;

Result<void> check_seed(sim::World& world) {
  Random& random = world.random();
  const bool host_stays = random.chance(0.5);
  const LemmaTransport transport =
      random.chance(0.7) ? LemmaTransport::tcp : LemmaTransport::websocket;
  Machine stage(world, "stage");
  stage.start_host(room("lab"));
  // The witness lives where the host does: nothing is lost on its way.
  Diary& witness = stage.diary();
  LemmaOptions options = guest_of("lab", {"t"});
  options.transport = transport;
  LemmaOptions near_by = options;
  near_by.host = Address::loopback(transport == LemmaTransport::tcp ? tcp_port : websocket_port);
  stage.start_lemma("witness", near_by, witness);
  world.run_for(100ms);

  std::vector<std::unique_ptr<Speaker>> speakers;
  for (const char* name : {"anna", "bert"}) {
    speakers.push_back(std::make_unique<Speaker>(world, name));
    LemmaOptions own = options;
    if (random.chance(0.5)) own.hears.clear();
    speakers.back()->machine.start_lemma(name, own, speakers.back()->diary);
  }
  Machine thief_machine(world, "thief");
  Diary& thief = thief_machine.diary();
  bool thief_there = false;
  world.set_faults(rough(random));

  const auto anybody = [&]() -> Speaker& { return *speakers[random.below(speakers.size())]; };
  std::uint16_t port = tcp_port;
  for (int step = 0; step < 40; ++step) {
    world.run_for(Duration{static_cast<std::int64_t>(random.below(1'500'000'000))});
    switch (random.below(host_stays ? 8 : 11)) {
      case 0:
        world.cut("stage", anybody().name);
        break;
      case 1:
        world.cut_one_way("stage", anybody().name);
        break;
      case 2:
        world.heal();
        break;
      case 3:
        world.reset_connections("stage", anybody().name);
        break;
      case 4:
        if (!thief_there) {
          LemmaOptions same = options;
          same.guest = anybody().name;
          thief_machine.start_lemma("thief", same, thief);
        } else {
          thief_machine.stop("thief");
        }
        thief_there = !thief_there;
        break;
      case 8:
        stage.stop("noam");
        world.run_for(1s);
        {
          // On another port, as after a restart of its program.
          HostOptions again = room("lab");
          port = port == tcp_port ? std::uint16_t{7800} : tcp_port;
          if (transport == LemmaTransport::tcp) again.tcp = "0.0.0.0:" + std::to_string(port);
          stage.start_host(again);
        }
        break;
      case 10:
        // Power failure, in whatever anybody was about to do; then back, perhaps much later.
        stage.crash();
        world.run_for(Duration{static_cast<std::int64_t>(random.below(15'000'000'000))});
        stage.restart();
        stage.start_host(room("lab"));
        stage.start_lemma("witness", near_by, witness);
        port = tcp_port;
        break;
      case 9: {
        const Address old = stage.address(0);
        stage.host().remove_interface(old);
        world.run_for(500ms);
        stage.host().add_interface(Address::ipv4({10, 0, static_cast<std::uint8_t>(100 + step),
                                                  static_cast<std::uint8_t>(1 + random.below(200))},
                                                 0));
        break;
      }
      default:
        for (std::uint64_t i = random.below(5) + 1; i-- > 0;) anybody().speak();
    }
  }
  if (thief_there) thief_machine.stop("thief");
  world.heal();
  world.set_faults(sim::Faults::none());
  const bool all_back = world.run_until(
      [&] {
        return std::ranges::all_of(speakers,
                                   [](const auto& each) { return each->diary.connected(); });
      },
      back_again);
  if (!all_back) {
    return std::unexpected(Error{ErrorKind::failed, 0, "noam", "somebody is not connected again"});
  }
  // Connected they stay, and what is spoken now arrives (the host may have just been told of one).
  world.run_for(back_again);
  for (const auto& speaker : speakers) {
    EXPECT_TRUE(speaker->diary.connected()) << speaker->name;
    speaker->speak();
  }
  world.run_for(3s);

  for (const auto& speaker : speakers) {
    const auto heard = numbers_of(witness, speaker->name);
    for (std::size_t i = 1; i < heard.size(); ++i)
      EXPECT_LT(heard[i - 1], heard[i]) << speaker->name << ": order, and once each";
    for (const auto& other : speakers) {
      const auto there = numbers_of(other->diary, speaker->name);
      EXPECT_TRUE(std::ranges::is_sorted(there, std::less_equal{})) << other->name;
    }
    if (host_stays) {
      const std::set<std::uint64_t> arrived(heard.begin(), heard.end());
      const auto told = speaker->told();
      for (std::uint64_t number = 1; number <= speaker->spoken; ++number)
        EXPECT_TRUE(arrived.contains(number) || told.contains(number))
            << speaker->name << "'s event " << number << " of " << speaker->spoken
            << " was lost without a word";
      EXPECT_TRUE(arrived.contains(speaker->spoken)) << "the last one, on a network without faults";
    }
  }
  return {};
}

TEST(Noam_Seeds, NothingIsLostOrReorderedWithoutAWordAndEverybodyComesBack) {
  sim::SeedOptions options;
  options.has_failed = [] { return ::testing::Test::HasFailure(); };
  options.arguments =
      "--gtest_filter=Noam_Seeds.NothingIsLostOrReorderedWithoutAWordAndEverybodyComesBack";
  // HAWSER_SEEDS=2000 for the whole of it.
  EXPECT_TRUE(sim::for_each_seed(100, check_seed, options));
}

/// The host goes in the middle of a marco, a polo, a handshake, a registration, a first event.
Result<void> check_vanishing(sim::World& world) {
  Random& random = world.random();
  Machine stage(world, "stage");
  Machine floor(world, "floor");
  stage.start_host(room("lab"));
  world.run_for(10ms);
  world.set_faults(rough(random));
  LemmaOptions options = guest_of("lab", {"t"});
  if (random.chance(0.3)) options.transport = LemmaTransport::websocket;
  std::vector<Diary*> diaries;
  for (const char* name : {"a", "b", "c"}) {
    diaries.push_back(&floor.diary());
    floor.start_lemma(name, options, *diaries.back());
    floor.speak(name, "t", "1");
  }
  for (int times = 0; times < 3; ++times) {
    world.run_for(Duration{static_cast<std::int64_t>(random.below(250'000'000))});
    const Duration away{static_cast<std::int64_t>(random.below(25'000'000'000))};
    switch (random.below(4)) {
      case 0:
        stage.crash();
        world.run_for(away);
        stage.restart();
        stage.start_host(room("lab"));
        break;
      case 1:
        stage.stop("noam");
        world.run_for(away);
        stage.start_host(room("lab"));
        break;
      case 2:
        world.cut("stage", "floor");
        world.run_for(away);
        world.heal();
        break;
      default:
        world.cut_one_way("stage", "floor");
        world.run_for(away);
        world.heal();
    }
  }
  world.set_faults(sim::Faults::none());
  const bool all_back = world.run_until(
      [&] {
        return std::ranges::all_of(diaries, [](const auto* each) { return each->connected(); });
      },
      back_again);
  if (!all_back)
    return std::unexpected(Error{ErrorKind::failed, 0, "noam", "somebody is not connected again"});
  // It may be a connection that is dead on the other side: the watchdogs find out.
  world.run_for(back_again);
  for (const Diary* each : diaries) EXPECT_TRUE(each->connected());
  EXPECT_EQ(stage.status().lemmas, diaries.size());
  return {};
}

TEST(Noam_Seeds, AHostMayVanishAtAnyMomentOfARegistration) {
  sim::SeedOptions options;
  options.has_failed = [] { return ::testing::Test::HasFailure(); };
  options.arguments = "--gtest_filter=Noam_Seeds.AHostMayVanishAtAnyMomentOfARegistration";
  EXPECT_TRUE(sim::for_each_seed(100, check_vanishing, options));
}

TEST(Noam_Seeds, OneSeedIsOneRun) {
  const auto digest = [] {
    sim::World world(7);
    (void)check_seed(world);
    return world.digest();
  };
  EXPECT_EQ(digest(), digest());
}

}  // namespace
}  // namespace hawser::noam::testing
