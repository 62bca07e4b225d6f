// The budget: so many steps a turn, those under way first, the newest first when too many wait.
#include <hawser/net/tls/testing/tls_pair.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

using namespace hawser::testing;

struct Step final : HandshakeBudget::Waiter {
  Step(std::string step_name, std::vector<std::string>& step_log)
      : name(std::move(step_name)), log(step_log) {}
  void granted() override { log.push_back(name); }
  void refused() override { log.push_back("refused " + name); }
  std::string name;
  std::vector<std::string>& log;
};

struct HandshakeBudgetTest : ::testing::Test {
  std::shared_ptr<HandshakeBudget> make(HandshakeLimits limits) {
    return std::make_shared<HandshakeBudget>(limits);
  }
  Step& step(std::string name) {
    steps.push_back(std::make_unique<Step>(std::move(name), log));
    return *steps.back();
  }
  TlsWorld world;
  Scheduler& scheduler = *world.scheduler;
  std::vector<std::string> log;
  std::vector<std::unique_ptr<Step>> steps;
};

TEST_F(HandshakeBudgetTest, gives_so_many_steps_and_then_makes_wait) {
  const auto budget = make({.steps_per_turn = 2});
  EXPECT_TRUE(budget->take(scheduler, step("a"), false));
  EXPECT_TRUE(budget->take(scheduler, step("b"), false));
  EXPECT_FALSE(budget->take(scheduler, step("c"), false));
  EXPECT_FALSE(budget->take(scheduler, step("d"), true));
  EXPECT_FALSE(budget->take(scheduler, step("e"), false));
  EXPECT_EQ(budget->waiting(), 3U);
  world.turn();
  EXPECT_EQ(log, (std::vector<std::string>{"d", "c", "e"}));  // the one under way came first
  EXPECT_EQ(budget->waiting(), 0U);
  EXPECT_TRUE(budget->take(scheduler, step("f"), false));
}

TEST_F(HandshakeBudgetTest, one_turn_grants_no_more_than_its_share) {
  const auto budget = make({.steps_per_turn = 3});
  for (int i = 0; i < 20; ++i) budget->take(scheduler, step(std::to_string(i)), false);
  std::size_t before = 0;
  const std::uint64_t polls = scheduler.engine().counters().polls;
  while (log.size() < 17 && world.world.world().step()) {
    EXPECT_LE(log.size() - before, 3U);
    before = log.size();
  }
  EXPECT_EQ(log.size(), 17U);
  EXPECT_GE(scheduler.engine().counters().polls - polls, 5U);  // somebody else had a turn between
}

TEST_F(HandshakeBudgetTest, who_comes_later_does_not_overtake) {
  const auto budget = make({.steps_per_turn = 1});
  EXPECT_TRUE(budget->take(scheduler, step("a"), false));
  EXPECT_FALSE(budget->take(scheduler, step("b"), false));
  EXPECT_FALSE(budget->take(scheduler, step("c"), false));
  world.turn();
  EXPECT_EQ(log, (std::vector<std::string>{"b", "c"}));
}

TEST_F(HandshakeBudgetTest, the_newest_goes_first_when_too_many_wait) {
  const auto budget = make({.steps_per_turn = 1, .newest_first_above = 2});
  budget->take(scheduler, step("now"), false);
  for (const char* name : {"a", "b", "c", "d"}) budget->take(scheduler, step(name), false);
  world.turn();
  EXPECT_EQ(log, (std::vector<std::string>{"d", "c", "a", "b"}));
}

TEST_F(HandshakeBudgetTest, beyond_the_limit_the_oldest_is_refused) {
  const auto budget = make({.steps_per_turn = 1, .waiting = 2});
  budget->take(scheduler, step("now"), false);
  for (const char* name : {"a", "b", "c", "d"}) budget->take(scheduler, step(name), false);
  EXPECT_EQ(budget->waiting(), 2U);
  world.turn();
  EXPECT_EQ(log, (std::vector<std::string>{"refused a", "refused b", "c", "d"}));
}

TEST_F(HandshakeBudgetTest, who_is_gone_waits_no_longer) {
  auto budget = make({.steps_per_turn = 1});
  budget->take(scheduler, step("now"), false);
  for (const char* name : {"a", "b", "c"}) budget->take(scheduler, step(name), false);
  steps.erase(steps.begin() + 2);  // b
  EXPECT_EQ(budget->waiting(), 2U);
  world.turn();
  EXPECT_EQ(log, (std::vector<std::string>{"a", "c"}));
  budget->take(scheduler, step("now"), false);
  Step& last = step("last");
  budget->take(scheduler, last, false);
  budget.reset();
  EXPECT_FALSE(last.waiting());
  world.turn();
  EXPECT_EQ(log.size(), 2U);
}

TEST_F(HandshakeBudgetTest, nothing_is_posted_once_all_is_quiet) {
  const auto budget = make({});
  budget->take(scheduler, step("a"), false);
  world.turn();
  const std::uint64_t polls = scheduler.engine().counters().polls;
  world.turn();
  EXPECT_LE(scheduler.engine().counters().polls - polls, 2U);
}

TEST_F(HandshakeBudgetTest, Tcp_E_71_EB_09_many_handshakes_at_once_all_come_through) {
  world.server_options.handshakes.steps_per_turn = 2;
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  std::vector<std::unique_ptr<TlsPair>> pairs;
  for (int i = 0; i < 20; ++i) pairs.push_back(std::make_unique<TlsPair>(world, server, client));
  for (auto& pair : pairs) {
    pair->server->start();
    pair->client->start();
  }
  // Eight clients have begun (their own budget), and two of them may be answered.
  std::size_t answered = 0;
  for (auto& pair : pairs) {
    const std::string hello = pair->client->wire();
    if (!hello.empty()) pair->server->transport->received(hello);
    const std::string answer = pair->server->wire();
    if (!answer.empty()) {
      ++answered;
      pair->client->transport->received(answer);
    }
  }
  EXPECT_EQ(answered, 2U);
  for (int i = 0; i < 10; ++i)
    for (auto& pair : pairs) pair->run();
  for (auto& pair : pairs) EXPECT_TRUE(pair->ready()) << pair->why();
}

TEST_F(HandshakeBudgetTest, too_many_waiting_ends_with_overloaded) {
  world.server_options.handshakes = {.steps_per_turn = 1, .waiting = 1};
  const TlsServerContext server = world.server_context();
  auto client = world.end(tls_client(world.client_context()), "broker.example");
  client->start();
  const std::string hello = client->wire();
  std::vector<std::unique_ptr<TransportEnd>> ends;
  for (int i = 0; i < 3; ++i) {
    ends.push_back(world.end(tls_server(server)));
    ends.back()->start();
    ends.back()->transport->received(hello);
  }
  world.turn();
  ASSERT_TRUE(ends[1]->failed);
  EXPECT_EQ(ends[1]->failed->kind(), Reason::Kind::overloaded);
  EXPECT_NE(ends[1]->failed->text().find("handshakes.waiting"), std::string::npos);
  EXPECT_FALSE(ends[0]->failed || ends[2]->failed);
  EXPECT_FALSE(ends[2]->wire().empty());
}

TEST_F(HandshakeBudgetTest, a_client_that_waits_holds_its_bytes_only_up_to_the_limit) {
  world.server_options.handshakes = {.steps_per_turn = 1};
  world.server_options.handshake_bytes_limit = 4096;
  const TlsServerContext server = world.server_context();
  auto client = world.end(tls_client(world.client_context()), "broker.example");
  client->start();
  const std::string hello = client->wire();
  auto first = world.end(tls_server(server));
  auto second = world.end(tls_server(server));
  first->start();
  second->start();
  first->transport->received(hello);
  second->transport->received(hello);
  second->transport->received(std::string(4096, 'x'));
  ASSERT_TRUE(second->failed);
  EXPECT_NE(second->failed->text().find("handshake_bytes_limit"), std::string::npos);
  world.turn();
  EXPECT_EQ(second->wire(), "");
}

}  // namespace
}  // namespace hawser
