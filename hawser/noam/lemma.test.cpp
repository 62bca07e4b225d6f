// Lemmas and hosts of ours together, in simulated networks: what a user sees of them.
#include <hawser/noam/testing/noam_world.hpp>
#include <hawser/process/sys.hpp>

namespace hawser::noam::testing {
namespace {

class NoamPair : public ::testing::TestWithParam<LemmaTransport> {
 protected:
  LemmaOptions guest(std::string of, std::vector<std::string> hears = {}) {
    LemmaOptions options = guest_of(std::move(of), std::move(hears));
    options.transport = GetParam();
    return options;
  }
  bool until(const std::function<bool()>& predicate, Duration limit = 60s) {
    return world.run_until(predicate, limit);
  }
  /// The same for what has to be asked for: looks every 50 ms.
  bool asked_until(const std::function<bool()>& predicate, Duration limit = 60s) {
    for (Duration waited{}; waited <= limit; waited += 50ms) {
      if (predicate()) return true;
      world.run_for(50ms);
    }
    return false;
  }
  sim::World world{1};
  Machine stage{world, "stage"};
  Machine floor{world, "floor"};
};

TEST_P(NoamPair, FindEachOtherByBroadcastAndTalk) {
  stage.start_host(room("lab"));
  Diary& lamp = floor.diary();
  Diary& sensor = floor.diary();
  floor.start_lemma("lamp", guest("lab", {"light"}), lamp);
  floor.start_lemma("sensor", guest("lab"), sensor);
  ASSERT_TRUE(until([&] { return lamp.connected() && sensor.connected(); }));
  for (int i = 0; i < 5; ++i) floor.speak("sensor", "light", std::to_string(i));
  ASSERT_TRUE(until([&] { return lamp.heard.size() == 5; }));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(lamp.heard[static_cast<std::size_t>(i)], "sensor light " + std::to_string(i));
  EXPECT_TRUE(sensor.heard.empty());
  EXPECT_EQ(
      lamp.states,
      (std::vector<std::string>(
          GetParam() == LemmaTransport::tcp
              ? std::vector<std::string>{"discovering", "connecting", "registering", "connected"}
              : std::vector<std::string>{"discovering", "connecting", "connected"})));
  world.run_for(60s);
  EXPECT_TRUE(lamp.connected()) << "heart-beats keep it alive";
  EXPECT_EQ(stage.status().lemmas, 2U);
}

TEST_P(NoamPair, ASpeakerHearsItself) {
  stage.start_host(room("lab"));
  Diary& diary = floor.diary();
  floor.start_lemma("echo", guest("lab", {"t"}), diary);
  floor.speak("echo", "t", R"({"deep":[1,null,true,"\u00e9"]})");
  ASSERT_TRUE(until([&] { return diary.heard.size() == 1; }));
  EXPECT_EQ(diary.heard[0], R"(echo t {"deep":[1,null,true,"\u00e9"]})");
}

/// Escaped, they are three times as long on their way.
TEST_P(NoamPair, TheLongestNamesAndTopicsOfAnyTextGetThrough) {
  stage.start_host(room("lab"));
  std::string longest;
  for (int i = 0; i < 512; ++i) longest += "\xc3\xa9";
  Diary& diary = floor.diary();
  LemmaOptions options = guest("lab", {longest});
  options.guest = longest;
  floor.start_lemma("e", options, diary);
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  floor.speak("e", longest, "1");
  ASSERT_TRUE(until([&] { return diary.heard.size() == 1; }, 5s));
  EXPECT_EQ(diary.heard[0], longest + " " + longest + " 1");
  world.run_for(30s);
  EXPECT_TRUE(diary.connected());
}

TEST_P(NoamPair, AHandlerThatIsBusyIsNotBuriedAndHearsAllLater) {
  stage.start_host(room("lab"));
  Diary& lamp = floor.diary();
  Diary& sensor = stage.diary();
  LemmaOptions options = guest("lab", {"light"});
  options.intake = 50;
  floor.start_lemma("lamp", options, lamp);
  stage.start_lemma("sensor", guest("lab"), sensor);
  ASSERT_TRUE(until([&] { return lamp.connected() && sensor.connected(); }));
  world.run_for(100ms);
  Environment& here = floor.system().environment();
  const Pid handler = floor.system().whereis("lamp");
  ASSERT_TRUE(sys::suspend(here, handler));
  for (int i = 0; i < 1'000; ++i) stage.speak("sensor", "light", std::to_string(i));
  world.run_for(1s);
  const auto statistics = sys::statistics(here, handler);
  ASSERT_TRUE(statistics);
  EXPECT_LE(statistics->mailbox, 60U) << "the rest waits at the host";
  ASSERT_TRUE(sys::resume(here, handler));
  ASSERT_TRUE(until([&] { return lamp.heard.size() == 1'000; }, 5s));
  EXPECT_EQ(lamp.heard.back(), "sensor light 999");
}

TEST_P(NoamPair, WhatIsSpokenBeforeAndBetweenConnectionsArrivesInOrder) {
  Diary& lamp = floor.diary();
  Diary& sensor = floor.diary();
  floor.start_lemma("lamp", guest("lab", {"light"}), lamp);
  floor.start_lemma("sensor", guest("lab"), sensor);
  floor.speak("sensor", "other", "0");
  world.run_for(1s);
  // The lamp comes first, or it would not hear what waits.
  floor.stop("sensor");
  stage.start_host(room("lab"));
  ASSERT_TRUE(until([&] { return lamp.connected(); }));
  stage.stop("noam");
  ASSERT_TRUE(until([&] { return !lamp.connected(); }));
  floor.start_lemma("sensor2", guest("lab"), sensor);
  for (int i = 0; i < 100; ++i) floor.speak("sensor2", "light", std::to_string(i));
  world.run_for(5s);
  HostOptions again = room("lab");
  again.tcp = "0.0.0.0:7799";
  stage.start_host(again);
  ASSERT_TRUE(until([&] { return lamp.connected(); }));
  ASSERT_TRUE(until([&] { return sensor.connected(); }));
  for (int i = 100; i < 110; ++i) floor.speak("sensor2", "light", std::to_string(i));
  world.run_for(5s);
  ASSERT_GE(lamp.heard.size(), 10U);
  const std::size_t first = 110 - lamp.heard.size();
  for (std::size_t i = 0; i < lamp.heard.size(); ++i)
    EXPECT_EQ(lamp.heard[i], "sensor2 light " + std::to_string(first + i));
  EXPECT_TRUE(sensor.losses.empty());
}

TEST_P(NoamPair, ACrashOfTheHandlerRegistersAgainAndKeepsTheQueue) {
  Diary& lamp = floor.diary();
  Diary& sensor = floor.diary();
  floor.start_lemma("lamp", guest("lab", {"light"}), lamp);
  floor.start_lemma("sensor", guest("lab", {"bang"}), sensor);
  stage.start_host(room("lab"));
  ASSERT_TRUE(until([&] { return lamp.connected() && sensor.connected(); }));
  sensor.crash_on = "bang";
  floor.speak("lamp", "bang", "1");
  ASSERT_TRUE(until([&] { return sensor.starts == 2; }));
  for (int i = 0; i < 20; ++i) floor.speak("sensor", "light", std::to_string(i));
  ASSERT_TRUE(until([&] { return lamp.heard.size() == 20; }));
  EXPECT_EQ(lamp.heard.front(), "sensor light 0");
  EXPECT_EQ(lamp.heard.back(), "sensor light 19");
  EXPECT_TRUE(sensor.connected());
  EXPECT_EQ(floor.lemma_status("sensor").connects, 2U);
}

TEST_P(NoamPair, AFreeGuestWaitsForTheOperator) {
  stage.start_host(room("lab"));
  Diary& guest_diary = floor.diary();
  floor.start_lemma("wanderer", guest("", {"t"}), guest_diary);
  world.run_for(10s);
  EXPECT_FALSE(guest_diary.connected());
  EXPECT_EQ(stage.status().free_guests, 1U);
  EXPECT_FALSE(grab_guest(stage.system(), "noam", "nobody").value());
  EXPECT_TRUE(grab_guest(stage.system(), "noam", "wanderer").value());
  ASSERT_TRUE(until([&] { return guest_diary.connected(); }, 3s));
  ASSERT_TRUE(asked_until([&] { return stage.status().lemmas == 1; }, 1s));
  EXPECT_TRUE(play_event(stage.system(), "noam", "t", "5"));
  ASSERT_TRUE(until([&] { return guest_diary.heard.size() == 1; }));
  EXPECT_EQ(guest_diary.heard[0], R"(web_ui_lemma t "5")") << "an operator's value is a string";
  EXPECT_TRUE(free_guest(stage.system(), "noam", "wanderer").value());
  ASSERT_TRUE(until([&] { return !guest_diary.connected(); }));
  world.run_for(10s);
  EXPECT_FALSE(guest_diary.connected()) << "it is free again";
}

TEST_P(NoamPair, AHostThatVanishesIsMissedAndFoundAgain) {
  stage.start_host(room("lab"));
  Diary& diary = floor.diary();
  floor.start_lemma("lamp", guest("lab"), diary);
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  world.run_for(3s);
  floor.speak("lamp", "t", "1");
  stage.crash();
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 13s)) << "by the watchdog";
  EXPECT_EQ(diary.in_doubt(), 1U) << "nobody knows whether it arrived, and the speaker is told";
  stage.restart();
  stage.start_host(room("lab"));
  EXPECT_TRUE(until([&] { return diary.connected(); }, 10s));
}

TEST_P(NoamPair, AHalfOpenLinkIsNoticedOnBothSides) {
  stage.start_host(room("lab"));
  Diary& diary = floor.diary();
  floor.start_lemma("lamp", guest("lab"), diary);
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  world.cut("stage", "floor");
  EXPECT_TRUE(asked_until([&] { return stage.status().lemmas == 0; }, 8s)) << "2 h, and a tick";
  EXPECT_TRUE(until([&] { return !diary.connected(); }, 12s));
  world.heal();
  EXPECT_TRUE(until([&] { return diary.connected(); }, 10s));
}

TEST_P(NoamPair, AHostThatMovesToAnotherAddressIsFound) {
  stage.start_host(room("lab"));
  Diary& diary = floor.diary();
  floor.start_lemma("lamp", guest("lab"), diary);
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  const Address old = stage.address(0);
  stage.host().remove_interface(old);
  stage.host().add_interface(Address::ipv4({10, 0, 77, 7}, 0));
  ASSERT_TRUE(until([&] { return !diary.connected(); }, 12s));
  ASSERT_TRUE(until([&] { return diary.connected(); }, 10s));
  EXPECT_EQ(floor.lemma_status("lamp").host.host(), "10.0.77.7");
}

TEST_P(NoamPair, ALemmaThatComesToANewNetworkAsksThereAtOnce) {
  world.host("stage").add_interface(Address::ipv4({192, 168, 5, 1}, 0), "side", 24);
  world.host("stage").remove_interface(Address::ipv4({10, 0, 0, 1}, 0));
  stage.start_host(room("lab"));
  Diary& diary = floor.diary();
  LemmaOptions slow = guest("lab");
  slow.marco_period = 1h;
  floor.start_lemma("lamp", slow, diary);
  world.run_for(60s);
  EXPECT_FALSE(diary.connected());
  world.host("floor").add_interface(Address::ipv4({192, 168, 5, 2}, 0), "side", 24);
  EXPECT_TRUE(until([&] { return diary.connected(); }, 2s));
}

TEST_P(NoamPair, TheNewestOfANameStaysAndTheOlderIsTold) {
  stage.start_host(room("lab"));
  Machine other{world, "other"};
  Diary& older = floor.diary();
  Diary& newer = floor.diary();
  LemmaOptions patient = guest("lab", {"t"});
  patient.guest = "twin";
  patient.backoff = {.base = 30s, .cap = 60s};
  floor.start_lemma("one", patient, older);
  ASSERT_TRUE(until([&] { return older.connected(); }));
  other.start_lemma("two", patient, newer);
  ASSERT_TRUE(until([&] { return newer.connected() && !older.connected(); }));
  world.run_for(5s);
  EXPECT_TRUE(newer.connected()) << "the older one's end does not touch it";
  EXPECT_EQ(stage.status().lemmas, 1U);
  ASSERT_TRUE(play_event(stage.system(), "noam", "t", "x"));
  ASSERT_TRUE(until([&] { return newer.heard.size() == 1; }));
  EXPECT_TRUE(older.heard.empty());
}

TEST_P(NoamPair, SeveralLemmasOfOneProgramAreStrangersToEachOther) {
  stage.start_host(room("lab"));
  std::vector<Diary*> diaries;
  for (int i = 0; i < 20; ++i) {
    diaries.push_back(&floor.diary());
    floor.start_lemma("lemma" + std::to_string(i), guest(i % 2 == 0 ? "lab" : "elsewhere", {"t"}),
                      *diaries.back());
  }
  ASSERT_TRUE(asked_until([&] { return stage.status().lemmas == 10; }));
  world.run_for(5s);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(diaries[i]->connected(), i % 2 == 0);
}

TEST_P(NoamPair, AFullQueueDropsAndTells) {
  Diary& diary = floor.diary();
  LemmaOptions small = guest("lab");
  small.queue_events = 10;
  floor.start_lemma("lamp", small, diary);
  for (int i = 0; i < 15; ++i) floor.speak("lamp", "t", std::to_string(i));
  world.run_for(1s);
  EXPECT_EQ(diary.lost(EventLoss::Why::dropped), 5U);
  EXPECT_EQ(diary.losses.front().first, 11U) << "the newest are not taken";
  floor.stop("lamp");
  Diary& other = floor.diary();
  small.overflow = EventOverflow::drop_oldest;
  small.hears = {"t"};
  floor.start_lemma("lamp2", small, other);
  for (int i = 0; i < 15; ++i) floor.speak("lamp2", "t", std::to_string(i));
  stage.start_host(room("lab"));
  ASSERT_TRUE(until([&] { return other.heard.size() == 10; }));
  EXPECT_EQ(other.losses.front().first, 1U) << "the oldest go";
  EXPECT_EQ(other.heard.front(), "lamp2 t 5");
}

TEST_P(NoamPair, StoppingALemmaLeavesNothing) {
  stage.start_host(room("lab"));
  Diary& diary = floor.diary();
  floor.start_lemma("lamp", guest("lab"), diary);
  ASSERT_TRUE(until([&] { return diary.connected(); }));
  floor.stop("lamp");
  world.run_for(2s);
  EXPECT_EQ(stage.status().lemmas, 0U);
  std::size_t sockets = 0;
  (void)floor.system().run_on(
      0, [&](Scheduler& scheduler) { sockets = scheduler.engine().open_sockets(); });
  EXPECT_EQ(sockets, 0U);
}

INSTANTIATE_TEST_SUITE_P(Transports, NoamPair,
                         ::testing::Values(LemmaTransport::tcp, LemmaTransport::websocket),
                         [](const auto& chosen) {
                           return chosen.param == LemmaTransport::tcp ? "tcp" : "websocket";
                         });

TEST(Noam_Lemma, WrongOptionsAreAllNamed) {
  sim::World world(1);
  Machine machine(world, "machine");
  LemmaOptions options;
  options.marco_period = 0s;
  options.window = 0;
  const auto started = machine.system().start(noam::lemma<Writer>("x", options, nullptr));
  ASSERT_FALSE(started);
  for (const char* field : {"guest", "marco_period", "window"})
    EXPECT_NE(started.error().text().find(field), std::string::npos) << started.error().text();
}

TEST(Noam_Lemma, WhatCouldNeverBeSaidToAHostIsAFaultAtOnce) {
  const auto faults = [](const LemmaOptions& options) {
    std::string all;
    for (const std::string& each : options.faults()) all += each + "\n";
    return all;
  };
  LemmaOptions options = guest_of("lab");
  options.guest = "g";
  EXPECT_EQ(faults(options), "");
  options.guest = "\xff";
  options.room = "\xc3";
  options.hears = {"t\x80"};
  for (const char* what : {"guest: not UTF-8", "room: not UTF-8", "hears: a topic is not UTF-8"})
    EXPECT_NE(faults(options).find(what), std::string::npos) << faults(options);
  options = guest_of("lab");
  options.guest = "g";
  options.discover = {Address::parse("[::1]:1030").value()};
  EXPECT_NE(faults(options).find("discover: an IPv4 address"), std::string::npos);
  options.discover.clear();
  options.hears.assign(1'000, std::string(1'000, 't'));
  EXPECT_NE(faults(options).find("hears, speaks: the registration"), std::string::npos);
}

TEST(Noam_Lemma, SpeakByCallTellsWhatIsWrong) {
  sim::World world(1);
  Machine machine(world, "machine");
  Diary& diary = machine.diary();
  machine.start_lemma("x", guest_of("lab"), diary);
  const Ref<Lemma> lemma(machine.system().whereis("x"));
  const auto number = machine.system().call(lemma, Speak("t", "1"));
  ASSERT_TRUE(number);
  EXPECT_EQ(*number, 1U);
  const auto no_json = machine.system().call(lemma, Speak("t", "{1}"));
  ASSERT_FALSE(no_json);
  EXPECT_EQ(no_json.error().kind, ErrorKind::invalid_argument);
  const auto no_text = machine.system().call(lemma, Speak("\xff", "1"));
  ASSERT_FALSE(no_text);
  EXPECT_EQ(no_text.error().kind, ErrorKind::invalid_argument);
  const auto too_long =
      machine.system().call(lemma, Speak("t", '"' + std::string(1'000'000, 'x') + '"'));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().kind, ErrorKind::overloaded);
}

}  // namespace
}  // namespace hawser::noam::testing
