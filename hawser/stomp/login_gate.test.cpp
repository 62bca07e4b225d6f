// Who is checked when: at most so many at a time, in order, and nobody stands in the way who is
// gone.
#include <hawser/stomp/login_gate.hpp>

#include <gtest/gtest.h>

#include <optional>

namespace hawser::stomp {
namespace {

// Pids of no scheduler: told nothing, but told apart.
Pid pid(std::uint32_t index) { return {nullptr, index, 1}; }

TEST(LoginGate, lets_in_so_many_and_then_one_for_each_that_leaves) {
  const auto gate = std::make_shared<LoginGate>(2);
  std::optional<LoginGate::Ticket> first(std::in_place, gate, pid(1));
  std::optional<LoginGate::Ticket> second(std::in_place, gate, pid(2));
  std::optional<LoginGate::Ticket> third(std::in_place, gate, pid(3));
  std::optional<LoginGate::Ticket> fourth(std::in_place, gate, pid(4));
  EXPECT_TRUE(first->has_turn());
  EXPECT_TRUE(second->has_turn());
  EXPECT_FALSE(third->has_turn());
  third.reset();  // gave up waiting
  EXPECT_FALSE(fourth->has_turn());
  second.reset();
  EXPECT_TRUE(fourth->has_turn());
  first.reset();
  fourth.reset();
  const LoginGate::Ticket last(gate, pid(5));
  EXPECT_TRUE(last.has_turn());
}

}  // namespace
}  // namespace hawser::stomp
