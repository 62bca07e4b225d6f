// Targets as text, and each order of a list.
#include <hawser/net/target.hpp>

#include <gmock/gmock.h>

#include <set>
#include <string>

namespace hawser {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string fault_of(std::string_view text) {
  const auto target = Target::parse(text);
  return target ? "none: " + target->text() : target.error().detail;
}

TEST(Target, reads_names_and_writes_them_back) {
  for (const char* text : {"broker.example:61613", "localhost:1", "a:65535", "my_service-1.x:80",
                           "absolute.example.:80", "xn--bcher-kva.example:80", "3com.com:80"}) {
    const auto target = Target::parse(text);
    ASSERT_TRUE(target) << target.error().text();
    EXPECT_FALSE(target->address());
    EXPECT_EQ(target->text(), text);
    const std::string host(text, std::string_view(text).rfind(':'));
    EXPECT_EQ(target->host(), host);
    EXPECT_EQ(target->dial_options().text(), text);
  }
}

TEST(Target, reads_addresses_which_need_no_look_up) {
  for (const char* text : {"127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80", "unix:/run/x.sock",
                           "unix:@abstract", "unix:/with:colon"}) {
    const auto target = Target::parse(text);
    ASSERT_TRUE(target) << target.error().text();
    ASSERT_TRUE(target->address()) << text;
    EXPECT_EQ(target->text(), text);
    EXPECT_EQ(target->dial_options().address, target->address());
  }
}

TEST(Target, has_the_address_as_host_for_certificates) {
  EXPECT_EQ(Target::parse("127.0.0.1:80")->host(), "127.0.0.1");
  EXPECT_EQ(Target::parse("[::1]:80")->dial_options().host, "::1");
  EXPECT_EQ(Target::parse("[::1]:80")->port(), 80);
  EXPECT_EQ(Target::parse("unix:/x")->host(), "");
  EXPECT_EQ(Target::parse("unix:/x")->dial_options({.host = "a", .port = 1}).host, "");
}

TEST(Target, leaves_the_name_of_an_interface_to_the_resolver) {
  const auto target = Target::parse("[fe80::1%eth0]:80");
  ASSERT_TRUE(target) << target.error().text();
  EXPECT_FALSE(target->address());
  EXPECT_EQ(target->host(), "fe80::1%eth0");
  EXPECT_EQ(target->text(), "[fe80::1%eth0]:80");
}

TEST(Target, says_what_is_wrong) {
  EXPECT_THAT(fault_of(""), HasSubstr("has no port: write host:port"));
  EXPECT_THAT(fault_of("broker"), HasSubstr("has no port: write host:port"));
  EXPECT_THAT(fault_of("[::1]"), HasSubstr("has no port"));
  EXPECT_THAT(fault_of("broker:"), HasSubstr("no port from 1 to 65535"));
  EXPECT_THAT(fault_of("broker:0"), HasSubstr("no port from 1 to 65535"));
  EXPECT_THAT(fault_of("127.0.0.1:0"), HasSubstr("no port from 1 to 65535"));
  EXPECT_THAT(fault_of("broker:65536"), HasSubstr("no port from 1 to 65535"));
  EXPECT_THAT(fault_of("broker:8o"), HasSubstr("no port from 1 to 65535"));
  EXPECT_THAT(fault_of("broker:-1"), HasSubstr("no port from 1 to 65535"));
  EXPECT_THAT(fault_of(":80"), HasSubstr("names no host"));
  EXPECT_THAT(fault_of("*:80"), HasSubstr("* is for listening"));
  EXPECT_THAT(fault_of("tcp://broker:80"), HasSubstr("has a scheme"));
  EXPECT_THAT(fault_of("::1:80"), HasSubstr("looks like IPv6"));
  EXPECT_THAT(fault_of("[::g]:80"), HasSubstr("no IPv6 address between its brackets"));
  EXPECT_THAT(fault_of("[fe80::1%an-interface-name]:80"), HasSubstr("scope"));
  EXPECT_THAT(fault_of("10.0.0.256:80"), HasSubstr("looks like an IPv4 address"));
  EXPECT_THAT(fault_of("10.0.1:80"), HasSubstr("looks like an IPv4 address"));
  EXPECT_THAT(fault_of("a..b:80"), HasSubstr("label"));
  EXPECT_THAT(fault_of(".:80"), HasSubstr("names no host"));
  EXPECT_THAT(fault_of("a b:80"), HasSubstr("character"));
  EXPECT_THAT(fault_of(std::string("a\0b:80", 6)), HasSubstr("character"));
  EXPECT_THAT(fault_of("b\xc3\xbc"
                       "cher.example:80"),
              HasSubstr("xn--"));
  EXPECT_THAT(fault_of("unix:"), HasSubstr("has no path"));
  EXPECT_THAT(fault_of(std::string(64, 'a') + ":80"), HasSubstr("label"));
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "a.";
  EXPECT_THAT(fault_of(longest + ":80"), StartsWith("none: ")) << "253 bytes and the root's dot";
  EXPECT_THAT(fault_of("aa" + longest.substr(1) + "b:80"), HasSubstr("more than 253 bytes"));
  EXPECT_LT(fault_of(std::string(1 << 20, 'a') + ":80").size(), 1000u);
}

TEST(Target, keeps_the_other_settings_when_it_fills_in_the_place) {
  const auto options = Target::parse("b:2")->dial_options(
      {.host = "a", .port = 1, .address = Address::loopback(3), .timeout = 7s});
  EXPECT_EQ(options.text(), "b:2");
  EXPECT_EQ(options.timeout, Duration(7s));
}

/// The next `count` targets, one letter each, with '|' where a cycle was over.
std::string walk(TargetList& list, Random& random, unsigned count) {
  std::string out;
  for (unsigned i = 0; i < count; ++i) {
    out += list.next(random).host();
    if (list.cycle_over()) out += '|';
  }
  return out;
}
Target named(const char* host) { return *Target::parse(std::string(host) + ":1"); }

TEST(TargetList, in_order_begins_with_the_first_after_each_connection) {
  Random random(1);
  TargetList list({"a:1", "b:1", "c:1"});
  EXPECT_EQ(walk(list, random, 7), "abc|abc|a");
  list.connected(named("a"));
  EXPECT_TRUE(list.cycle_over());
  EXPECT_EQ(walk(list, random, 2), "ab");
  list.connected(named("b"));
  EXPECT_EQ(walk(list, random, 4), "abc|a") << "back to the primary";
}

TEST(TargetList, round_robin_goes_on_after_the_one_used_last) {
  Random random(1);
  TargetList list({"a:1", "b:1", "c:1"}, TargetOrder::round_robin);
  EXPECT_EQ(walk(list, random, 1), "a");
  list.connected(named("a"));
  EXPECT_EQ(walk(list, random, 6), "bca|bca|") << "each once a cycle, from the same start";
  EXPECT_EQ(walk(list, random, 2), "bc");
  list.connected(named("c"));
  EXPECT_EQ(walk(list, random, 3), "abc|");
}

TEST(TargetList, random_is_a_new_order_each_cycle_that_has_each_once) {
  Random random(7);
  TargetList list({"a:1", "b:1", "c:1", "d:1"}, TargetOrder::random);
  std::set<std::string> orders;
  for (int cycle = 0; cycle < 1000; ++cycle) {
    const std::string order = walk(list, random, 4);
    EXPECT_EQ(order.back(), '|');
    EXPECT_EQ(std::set<char>(order.begin(), order.end()).size(), 5u) << order;
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 24u) << "every order comes";
}

TEST(TargetList, random_shuffles_anew_after_a_connection_and_only_then_draws) {
  Random random(7), same(7);
  TargetList list({"a:1", "b:1", "c:1"}, TargetOrder::random);
  for (int i = 0; i < 100; ++i) {
    const Target& first = list.next(random);
    list.connected(first);
    EXPECT_TRUE(list.cycle_over());
  }
  for (int i = 0; i < 200; ++i) same.next();  // two draws a shuffle of three
  EXPECT_EQ(random.next(), same.next());
  TargetList ordered({"a:1", "b:1", "c:1"}, TargetOrder::round_robin);
  walk(ordered, random, 10);
  EXPECT_EQ(random.next(), same.next()) << "the other orders draw nothing";
}

TEST(TargetList, of_one_is_over_after_each) {
  Random random(1);
  for (const auto order : {TargetOrder::in_order, TargetOrder::round_robin, TargetOrder::random}) {
    TargetList list({"a:1"}, order);
    EXPECT_EQ(walk(list, random, 3), "a|a|a|");
    list.connected(named("a"));
    EXPECT_EQ(walk(list, random, 1), "a|");
  }
}

TEST(TargetList, connected_to_a_stranger_ends_the_cycle_only) {
  Random random(1);
  TargetList list({"a:1", "b:1"}, TargetOrder::round_robin);
  walk(list, random, 1);
  list.connected(named("z"));
  EXPECT_TRUE(list.cycle_over());
  EXPECT_EQ(walk(list, random, 2), "ab|");
}

TEST(TargetList, is_made_of_texts_targets_or_one) {
  const TargetList one = "a:1";
  EXPECT_EQ(one.text(), "a:1");
  const TargetList some = {"a:1", "unix:/x"};
  EXPECT_EQ(some.text(), "a:1, unix:/x");
  EXPECT_EQ(TargetList(std::vector<std::string>{"a:1", "b:1"}, TargetOrder::random).order(),
            TargetOrder::random);
  EXPECT_EQ(TargetList(std::vector<Target>{named("b"), named("a")}).text(), "b:1, a:1");
  EXPECT_EQ(TargetList(named("a")).size(), 1u);
  for (const TargetList* list : {&one, &some}) EXPECT_THAT(list->faults(), IsEmpty());
}

TEST(TargetList, names_every_fault) {
  EXPECT_THAT(TargetList().faults(), ElementsAre("targets: there is none"));
  EXPECT_THAT(TargetList({"a:1", "b", "c:0"}).faults(),
              ElementsAre(StartsWith("targets: \"b\" "), StartsWith("targets: \"c:0\" ")));
  EXPECT_THAT(TargetList({"a:1", "b:1", "a:1"}).faults(),
              ElementsAre("targets: \"a:1\" is there twice"));
  std::vector<std::string> many;
  for (std::size_t i = 0; i < TargetList::most_targets; ++i)
    many.push_back("h" + std::to_string(i) + ":1");
  EXPECT_THAT(TargetList(many).faults(), IsEmpty());
  many.emplace_back("one-more:1");
  EXPECT_THAT(TargetList(many).faults(), ElementsAre("targets: there are 65, 64 at most"));
}

}  // namespace
}  // namespace hawser
