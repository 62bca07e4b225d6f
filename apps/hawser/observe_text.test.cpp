// What an observer answered fits every width, and says what it should.
#include "observe_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hawser::app {
namespace {

Json figures(double when, int packets) {
  return {{"when_ms", when},
          {"resident_bytes", 12'345'678},
          {"silent_servers", 0},
          {"stalls",
           {{"count", 1},
            {"longest_callback_ms", 70.0},
            {"last", Json::array({{{"ago_ms", 3000.0},
                                   {"scheduler", 0},
                                   {"handler", "Sleeper"},
                                   {"callback", "handle_packet"},
                                   {"so_far_ms", 62.0}}})}}},
          {"schedulers", Json::array({{{"number", 0},
                                       {"turns", 100 * packets},
                                       {"messages", 5},
                                       {"run_queue", 0},
                                       {"processes", 12},
                                       {"traced", 0}}})},
          {"servers", Json::array({{{"name", "stomp"},
                                    {"connections", 15000},
                                    {"accepting", true},
                                    {"draining", false},
                                    {"accepted", packets},
                                    {"packets_in", packets},
                                    {"packets_out", packets},
                                    {"bytes_in", packets},
                                    {"bytes_out", packets},
                                    {"alarms", {"full"}}}})},
          {"buses", Json::array({{{"name", "default"}, {"published", packets}}})}};
}

bool mentions(const Lines& lines, std::string_view part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

TEST(ObserveText, NumbersAndTimesAreShort) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(999), "999");
  EXPECT_EQ(short_number(999.9), "1.0k");
  EXPECT_EQ(short_number(15000), "15.0k");
  EXPECT_EQ(short_number(123456), "123k");
  EXPECT_EQ(short_number(2.5), "2.5");
  EXPECT_EQ(short_number(1e21), "1000000P");
  EXPECT_EQ(short_time(850), "850 ms");
  EXPECT_EQ(short_time(61000), "61 s");
  EXPECT_EQ(short_time(3 * 3600 * 1000.0), "3 h");
}

TEST(ObserveText, LinesAreCutAndCleaned) {
  EXPECT_EQ(fitted("plain", 10), "plain");
  EXPECT_EQ(fitted("0123456789", 4), "012~");
  EXPECT_EQ(fitted("a\x1b[2Jb\n", 20), "a?[2Jb?") << "nothing that a terminal would obey";
  EXPECT_EQ(fitted("f\xc3\xbc", 20), "f?");
  EXPECT_EQ(fitted("x", 0), "");
}

TEST(ObserveText, TheOverviewHasRatesOfTheTimeBetweenTwoLooks) {
  const Lines lines = overview_lines(figures(3000, 300), figures(1000, 100), 120);
  EXPECT_TRUE(mentions(lines, "15.0k   100"));
  EXPECT_TRUE(mentions(lines, "accepting, alarm full"));
  EXPECT_TRUE(mentions(lines, "Sleeper in handle_packet held scheduler 0 for 62 ms"));
  EXPECT_TRUE(mentions(lines, "12.3MB"));
  const Lines first = overview_lines(figures(3000, 300), nullptr, 120);
  EXPECT_TRUE(mentions(first, "15.0k     -")) << "no rate without an earlier look";
}

TEST(ObserveText, EveryWidthIsKept) {
  const Json tree{{"id", "root"},
                  {"pid", "<0.1.1>"},
                  {"handler", "hawser::Supervisor"},
                  {"children", Json::array({{{"id", "stomp"},
                                             {"pid", "<0.2.1>"},
                                             {"children_count", 1000},
                                             {"state", std::string(500, 'x')}}})}};
  const Json connections{{"count", 1},
                         {"connections", Json::array({{{"pid", "<0.5.1>"},
                                                       {"server", "stomp"},
                                                       {"peer", "127.0.0.1:5555"},
                                                       {"reading", false}}})}};
  for (std::size_t width = 1; width <= 200; ++width) {
    for (const Lines& lines : {overview_lines(figures(3000, 300), figures(1000, 100), width),
                               tree_lines(tree, width), connection_lines(connections, width)})
      for (const std::string& line : lines) ASSERT_LE(line.size(), width) << line;
  }
  const Lines narrow = connection_lines(connections, 40);
  EXPECT_TRUE(mentions(narrow, "<0.5.1>"));
  EXPECT_TRUE(mentions(narrow, "pkt in/s"));
  EXPECT_TRUE(mentions(tree_lines(tree, 80), "`- 1000 children"));
}

TEST(ObserveText, AnAnswerOfAnotherVersionIsNoCrash) {
  EXPECT_NO_THROW({
    overview_lines(Json::object(), nullptr, 80);
    overview_lines({{"servers", "none"}, {"stalls", 3}}, nullptr, 80);
    tree_lines(nullptr, 80);
    tree_lines({{"id", 5}, {"children", 7}}, 80);
    connection_lines({{"connections", Json::array({Json::object()})}}, 80);
    event_line(Json::object(), 80);
    program_line(Json::object(), 80);
  });
}

}  // namespace
}  // namespace hawser::app
