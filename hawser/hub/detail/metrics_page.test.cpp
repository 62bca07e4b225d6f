// What the page says of buses and destinations, and of events by their names.
#include <hawser/hub/detail/metrics_page.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::hub::detail {
namespace {

TEST(MetricsPage, ListsTheCountersOfABusAndOfItsDestinations) {
  Figures figures;
  BusFigures& bus = figures.buses.emplace_back();
  bus.name = "default";
  bus.statistics.settled = 7;
  bus.statistics.dead_lettered = 2;
  bus::DestinationStatistics queue;
  queue.destination = {bus::Destination::Kind::queue, "jobs \"a\""};
  queue.in = 12;
  queue.redelivered = 3;
  queue.messages = 4;
  queue.oldest = 1500ms;
  bus.destinations.push_back(queue);
  const EventMetrics events;
  const std::string page = metrics_page(figures, events, "1");
  const std::string labels = "{bus=\"default\",kind=\"queue\",name=\"jobs \\\"a\\\"\"} ";
  for (const std::string& line :
       {std::string("hawser_bus_settled_total{bus=\"default\"} 7\n"),
        std::string("hawser_bus_dead_lettered_total{bus=\"default\"} 2\n"),
        "hawser_destination_in_total" + labels + "12\n",
        "hawser_destination_redelivered_total" + labels + "3\n",
        "hawser_destination_messages" + labels + "4\n",
        "hawser_destination_oldest_seconds" + labels + "1.5\n"})
    EXPECT_NE(page.find(line), std::string::npos) << line << " is not in\n" << page;
}

TEST(MetricsPage, HasNoDestinationsWhereNoneWereAskedFor) {
  Figures figures;
  figures.buses.emplace_back().name = "default";
  const EventMetrics events;
  EXPECT_EQ(metrics_page(figures, events, "1").find("hawser_destination"), std::string::npos);
}

}  // namespace
}  // namespace hawser::hub::detail
