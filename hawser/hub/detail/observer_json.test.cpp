// Figures as JSON: what no simulated program comes to by itself.
#include <hawser/hub/detail/observer_json.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace hawser::hub::detail {
namespace {

TEST(ObserverJson, AStallNamesItsHandlerAndCallback) {
  Figures figures;
  figures.when = Instant(10s);
  figures.stalls = 3;
  figures.longest_callback = 80ms;
  figures.last_stalls.push_back(
      {Instant(9s), 1, {"app::Sleeper", "handle_packet", 7, Duration(62ms)}});
  const auto json = figures_json(figures)["stalls"];
  EXPECT_EQ(json["count"], 3);
  EXPECT_EQ(json["longest_callback_ms"], 80);
  const auto& last = json["last"][0];
  EXPECT_EQ(last["handler"], "app::Sleeper");
  EXPECT_EQ(last["callback"], "handle_packet");
  EXPECT_EQ(last["scheduler"], 1);
  EXPECT_EQ(last["ago_ms"], 1000);
  EXPECT_EQ(last["so_far_ms"], 62);
}

TEST(ObserverJson, EndsAreListedByTheKindOfTheirReason) {
  ServerStatus status;
  status.name = "it";
  status.ended[static_cast<std::size_t>(Reason::Kind::crash)] = 2;
  status.alarms = {"full"};
  const auto json = server_json(status);
  EXPECT_EQ(json["ended"].dump(), R"({"crash":2})");
  EXPECT_EQ(json["alarms"].dump(), R"(["full"])");
}

TEST(ObserverJson, WhatIsNoUtf8IsReplacedAndNoError) {
  TraceEvent event;
  event.kind = TraceKind::packet_in;
  event.what = "bad \xff byte";
  const auto json = nlohmann::json::parse(trace_line(event));
  EXPECT_EQ(json["what"], "bad \xef\xbf\xbd byte");
}

}  // namespace
}  // namespace hawser::hub::detail
