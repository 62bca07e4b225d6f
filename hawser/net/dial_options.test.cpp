// Each setting's bounds.
#include <hawser/net/dial_options.hpp>

#include <gmock/gmock.h>

namespace hawser {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

DialOptions good() { return {.host = "h", .port = 7}; }
template <class Change>
std::vector<std::string> faults_of(Change change) {
  DialOptions options = good();
  change(options);
  return options.faults();
}

TEST(DialOptions, defaults_have_no_faults) {
  EXPECT_THAT(good().faults(), IsEmpty());
  EXPECT_THAT((DialOptions{.address = Address::loopback(7)}).faults(), IsEmpty());
  EXPECT_THAT((DialOptions{.address = Address::unix_path("/x")}).faults(), IsEmpty());
}

TEST(DialOptions, bounds_belong_to_what_is_allowed) {
  for (const Duration delay : {Duration(10ms), Duration(1min), Duration::max()})
    EXPECT_THAT(faults_of([&](auto& each) { each.attempt_delay = delay; }), IsEmpty());
  for (const std::size_t most : {1u, 64u})
    EXPECT_THAT(faults_of([&](auto& each) { each.max_addresses = most; }), IsEmpty());
  EXPECT_THAT(faults_of([](auto& each) { each.timeout = Duration(1); }), IsEmpty());
  EXPECT_THAT(faults_of([](auto& each) { each.host = std::string(255, 'a'); }), IsEmpty());
}

TEST(DialOptions, names_each_fault) {
  EXPECT_THAT(DialOptions{}.faults(), ElementsAre(StartsWith("host: "), StartsWith("port: ")));
  EXPECT_THAT((DialOptions{.address = Address()}).faults(), ElementsAre("address: no address"));
  EXPECT_THAT((DialOptions{.address = Address::loopback(0)}).faults(),
              ElementsAre(StartsWith("address: has port 0")));
  EXPECT_THAT(faults_of([](auto& each) { each.host = std::string(256, 'a'); }),
              ElementsAre("host: is 256 bytes long, 255 are allowed"));
  EXPECT_THAT(faults_of([](auto& each) { each.timeout = 0s; }),
              ElementsAre("timeout: must be longer than zero"));
  EXPECT_THAT(faults_of([](auto& each) { each.attempt_delay = 9999us; }),
              ElementsAre("attempt_delay: 9999us is not within 10ms to 1min (or never)"));
  EXPECT_THAT(faults_of([](auto& each) { each.attempt_delay = 60001ms; }),
              ElementsAre(StartsWith("attempt_delay: ")));
  EXPECT_THAT(faults_of([](auto& each) { each.max_addresses = 0; }),
              ElementsAre("max_addresses: 0 is not within 1 to 64"));
  EXPECT_THAT(faults_of([](auto& each) { each.max_addresses = 65; }),
              ElementsAre(StartsWith("max_addresses: ")));
  EXPECT_THAT(faults_of([](auto& each) { each.from = Address::unix_path("/x"); }),
              ElementsAre(StartsWith("from: ")));
  EXPECT_THAT(faults_of([](auto& each) { each.socket.send_buffer = -1; }),
              ElementsAre(StartsWith("socket.send_buffer: ")));
  EXPECT_THAT(faults_of([](auto& each) { each.socket.receive_buffer = -1; }),
              ElementsAre(StartsWith("socket.receive_buffer: ")));
}

}  // namespace
}  // namespace hawser
