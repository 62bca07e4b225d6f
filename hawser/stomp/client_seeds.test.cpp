// Brokers that break at any moment, over many seeds, with a model beside them: no message whose
// receipt came is missing, each arrives at least once under one key, first arrivals keep the order,
// and every delivery that was never acknowledged comes again; none comes while the client is
// paused.
#include <hawser/stomp/testing/client_world.hpp>

#include <hawser/base/random.hpp>

#include <cstdlib>
#include <map>
#include <set>

namespace hawser::stomp::testing {
namespace {

/// A broker with one queue each way, that loses its connections as the seed has it.
class FlappingWorld final : public ClientWorld {
 public:
  explicit FlappingWorld(std::uint64_t seed) : ClientWorld(seed), random_(seed) {
    broker.on_frame = [this](auto& link, const Frame& got) { serve(link, got); };
  }
  void TestBody() override {}

  void run() {
    ClientOptions options;
    options.subscriptions = {
        {"/queue/in", random_.chance(0.5) ? AckMode::client : AckMode::client_individual}};
    options.confirm_window = 1 + static_cast<std::uint32_t>(random_.below(8));
    options.backoff.base = 100ms;
    options.backoff.cap = 1s;
    options.send_attempts = 1000;
    individual_ = options.subscriptions[0].ack == AckMode::client_individual;
    script.on_message = [this](const Delivery& message) {
      EXPECT_FALSE(stomp::client().paused());
      consumed_.insert(std::string(message.body()));
      EXPECT_TRUE(message.ack());
      if (random_.chance(0.05)) stomp::client().pause();
    };
    start(options, &script);
    for (int i = 0; i < jobs; ++i) queue_["job" + std::to_string(i)] = false;
    run_task([this]() -> Task<void> {
      for (int i = 0; i < sends; ++i) {
        // Half of them wait for one another, half do not.
        const Send message = Send("/queue/out", std::to_string(i)).at_least_once().within(3600s);
        self().start(confirm(i, message));
        if (i % 4 == 0) co_await hawser::sleep(50ms);
      }
    });
    run_task([this]() -> Task<void> {
      for (;;) {
        co_await hawser::sleep(1ms * random_.below(400));
        random_.chance(0.3) ? feed().cast(Pause{}) : feed().cast(Resume{});
      }
    });
    const bool done = world.until(
        [&] { return std::ssize(confirmed_) == sends && std::ssize(acked_) == jobs; }, 3600s);
    EXPECT_TRUE(done) << confirmed_.size() << " confirmed, " << acked_.size() << " acked";
    check_model();
    TearDown();
  }

 private:
  static constexpr int sends = 40;
  static constexpr int jobs = 20;

  Task<void> confirm(int number, Send message) {
    auto answer = co_await feed().ask(message);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().text());
    if (answer) {
      confirmed_.insert(number);
      EXPECT_TRUE(stored_.contains(std::to_string(number))) << "a receipt for nothing";
    }
  }

  void serve(ScriptedBroker::Link& link, const Frame& got) {
    // At any frame, before or after it has had its effect, with or without its answer.
    const bool before = random_.chance(0.03);
    const bool after = random_.chance(0.03);
    if (before) {
      link.close();
      return;
    }
    if (got.command == Command::send) {
      const std::string body(got.body.view());
      const std::string key(got.first("message-key").value_or(""));
      const auto [known, first] = stored_.emplace(body, key);
      EXPECT_EQ(known->second, key) << "one key for each message";
      if (first) arrived_.push_back(body);
    }
    if (got.command == Command::ack) {
      const std::string id(got.first("id").value_or(""));
      const auto& session = delivered_[&link];
      for (const auto& [ack, job] : session)
        if (individual_ ? ack == std::stoi(id) : ack <= std::stoi(id)) acked_.insert(job);
      EXPECT_TRUE(session.contains(std::stoi(id))) << "an ack of another session";
    }
    if (after) {
      link.close();
      return;
    }
    // What a subscription brings may come before its receipt.
    const bool behind = got.command == Command::subscribe && random_.chance(0.5);
    if (!behind) broker.answer(link, got);
    if (got.command == Command::subscribe) {
      for (const auto& [job, gone] : queue_) {
        if (acked_.contains(job)) continue;
        const int ack = ++last_ack_;
        delivered_[&link][ack] = job;
        link.send(frame(Command::message,
                        {{"subscription", "1"},
                         {"message-id", std::to_string(ack)},
                         {"ack", std::to_string(ack)},
                         {"destination", "/queue/in"}},
                        job));
        if (random_.chance(0.02)) {
          link.close();
          return;
        }
      }
    }
    if (behind) broker.answer(link, got);
  }

  void check_model() {
    EXPECT_EQ(std::ssize(stored_), sends);
    EXPECT_EQ(std::ssize(consumed_), jobs);
    std::set<std::string> keys;
    for (const auto& [body, key] : stored_) keys.insert(key);
    EXPECT_EQ(std::ssize(keys), sends) << "each message has a key of its own";
    for (std::size_t i = 0; i < arrived_.size(); ++i)
      EXPECT_EQ(arrived_[i], std::to_string(i)) << "first arrivals are in order";
    for (const auto& link : broker.links) EXPECT_FALSE(link->broken);
  }

  Random random_;
  bool individual_ = false;
  std::map<std::string, bool> queue_;
  std::map<std::string, std::string> stored_;  // body -> key
  std::vector<std::string> arrived_;
  std::set<int> confirmed_;
  std::map<ScriptedBroker::Link*, std::map<int, std::string>> delivered_;
  std::set<std::string> acked_;
  std::set<std::string> consumed_;
  int last_ack_ = 0;
};

std::uint64_t seeds() {
  const char* const text = std::getenv("HAWSER_SEEDS");
  return text == nullptr ? 100 : std::strtoull(text, nullptr, 10);
}

/// The first connection breaks after so many octets of what the broker has to say.
class CutWorld final : public ClientWorld {
 public:
  void TestBody() override {}
  /// Answers how many octets there would have been.
  std::size_t run(std::size_t cut) {
    Bytes said;
    std::size_t left = cut;
    broker.on_frame = [&](auto& link, const Frame& got) {
      if (broker.links.size() > 1) {
        broker.answer(link, got);
        return;
      }
      Bytes answer;
      if (got.command == Command::connect)
        answer = "CONNECTED\nversion:1.2\nheart-beat:0,0\n\n" + Bytes(1, '\0');
      if (const auto receipt = got.first("receipt")) {
        EXPECT_TRUE(encode(answer, frame(Command::receipt, {{"receipt-id", Bytes(*receipt)}}),
                           Version::v1_2));
      }
      if (got.command == Command::subscribe) {
        EXPECT_TRUE(encode(
            answer, frame(Command::message, {{"subscription", "1"}, {"message-id", "1"}}, "m"),
            Version::v1_2));
      }
      said += answer;
      const std::size_t part = std::min(left, answer.size());
      left -= part;
      link.send(BytesView(answer).substr(0, part));
      if (left == 0 && said.size() >= cut) link.close(CloseMode::graceful);
    };
    start({.subscriptions = {{"/queue/a"}}}, &script);
    std::size_t confirmed = 0;
    run_task([&]() -> Task<void> {
      const Send message = Send("/queue/b", "x").at_least_once().within(600s);
      EXPECT_TRUE(co_await feed().ask(message));
      ++confirmed;
    });
    if (cut == SIZE_MAX) {
      EXPECT_TRUE(world.until([&] { return confirmed == 1; }));
      TearDown();
      return said.size();
    }
    EXPECT_TRUE(world.until([&] { return confirmed == 1 && broker.links.size() == 2; }, 600s));
    world.run(10s);
    EXPECT_EQ(script.losses.size(), 1u);
    EXPECT_EQ(script.events.count("open"), 2u);
    EXPECT_GE(script.events.count("ready"), 1u);
    EXPECT_LE(script.events.count("message m"), 1u);
    std::set<std::string> keys;
    for (const Frame& each : broker.all(Command::send))
      keys.emplace(each.first("message-key").value_or(""));
    EXPECT_EQ(keys.size(), 1u);
    TearDown();
    return said.size();
  }
};

TEST(ClientSeeds, Stomp_U_11_AConnectionThatIsLostAtAnyOctetIsMadeAgain) {
  const std::size_t whole = CutWorld().run(SIZE_MAX);
  ASSERT_GT(whole, 100u);
  for (std::size_t cut = 1; cut <= whole; ++cut) {
    SCOPED_TRACE("cut after " + std::to_string(cut));
    CutWorld().run(cut);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(ClientSeeds, Stomp_G_2_NothingConfirmedIsLostHoweverTheBrokerFlaps) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    FlappingWorld world(seed);
    world.run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace hawser::stomp::testing
