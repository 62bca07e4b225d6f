// Files that are read again upon request: one at a time, and each part by itself.
#include <hawser/engine/sim/world.hpp>
#include <hawser/process/reloader.hpp>
#include <hawser/process/system.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

struct ReloaderLog final : Log {
  explicit ReloaderLog(std::vector<std::string>& lines) : Log(LogLevel::info), kept(lines) {}
  void write(LogLevel level, std::string_view source, std::string_view text) override {
    kept.push_back(std::string(to_string(level)) + " " + std::string(source) + ": " +
                   std::string(text));
    if (source == "engine") kept.pop_back();  // how it was chosen
  }
  std::vector<std::string>& kept;
};

TEST(Reloader, what_is_wrong_in_one_part_keeps_that_part_alone) {
  std::vector<std::string> lines;
  sim::World world(1);
  System system(world.host("one"), SystemOptions{.schedulers = 1},
                std::make_unique<ReloaderLog>(lines));
  int users = 0;
  bool broken = false;
  const auto certificates = [&]() -> Result<void> {
    if (!broken) return {};
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "tls", "x.pem: no certificate"});
  };
  ASSERT_TRUE(system
                  .start(reloader("hub", {{"users",
                                           [&]() -> Result<void> {
                                             ++users;
                                             return {};
                                           }},
                                          {"certificates", certificates}}))
                  .has_value());
  system.request_reload();
  world.run_for(1s);
  EXPECT_EQ(users, 1);
  EXPECT_EQ(lines, std::vector<std::string>{"info hub: users, certificates were read again"});
  broken = true;
  lines.clear();
  system.request_reload();
  world.run_for(1s);
  EXPECT_EQ(users, 2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "info hub: users were read again");
  EXPECT_TRUE(lines[1].starts_with(
      "error hub: what could not be read again stays as it was: certificates: "))
      << lines[1];
  EXPECT_NE(lines[1].find("x.pem: no certificate"), std::string::npos) << lines[1];
}

TEST(Reloader, requests_during_a_reload_are_one_more_after_it) {
  std::vector<std::string> lines;
  sim::World world(1);
  System system(world.host("one"), SystemOptions{.schedulers = 1},
                std::make_unique<ReloaderLog>(lines));
  int reads = 0;
  const auto read = [&]() -> Result<void> {
    ++reads;
    return {};
  };
  ASSERT_TRUE(system.start(reloader("it", {{"files", read}})).has_value());
  for (int i = 0; i < 3; ++i) system.request_reload();
  world.run_for(1s);
  EXPECT_EQ(reads, 2);
  EXPECT_EQ(lines.size(), 2U);
}

}  // namespace
}  // namespace hawser
