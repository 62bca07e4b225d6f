// Dialing against simulated hosts that answer, refuse or keep silent: which address wins and when,
// what the reason of a failure says, and that nothing is left whenever it ends.
#include <hawser/net/detail/dialing.hpp>

#include <hawser/net/testing/dial_world.hpp>

#include <gmock/gmock.h>

#include <memory>
#include <string>

namespace hawser::detail {
namespace {

using testing::Answering;
using testing::Caller;
using ::testing::HasSubstr;
using testing::NetWorld;
using testing::Service;
using ::testing::StartsWith;

using Family = Service::Family;

struct DialingTest : ::testing::Test {
  NetWorld net;
  Service service{net};
  Caller caller{net};

  static DialOptions to(DialOptions options = {}) {
    if (options.host.empty()) options.host = "service";
    options.port = Service::port;
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

TEST_F(DialingTest, a_look_up_does_not_keep_a_dialing_that_was_given_up) {
  service.answers();
  sim::Faults slow = net.world().faults();
  slow.slow_blocking = 1;
  slow.blocking_slow = {1s, 1s};
  const sim::Rule rule = net.world().host("server").impose(slow);
  caller.start(to());
  net.run(500ms);
  const std::weak_ptr<Dialing> watched = caller.dialing;
  caller.destroy();
  EXPECT_TRUE(watched.expired());
  net.run(2s);
  EXPECT_EQ(caller.told, 0u);
  caller.expect_nothing_left();
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
    net.run(1ms);  // what was under way is closed
    one.expect_nothing_left();
    net.run(1s);
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

}  // namespace
}  // namespace hawser::detail
