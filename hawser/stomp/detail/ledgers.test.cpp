// What a session remembers of receipts and of deliveries, and the small parts beside it.
#include <hawser/stomp/detail/basic_login.hpp>
#include <hawser/stomp/detail/fifo.hpp>
#include <hawser/stomp/detail/receipt_ledger.hpp>
#include <hawser/stomp/detail/unsettled.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::stomp::detail {
namespace {

using namespace std::string_literals;

TEST(ReceiptLedger, answers_each_token_once_in_any_order) {
  ReceiptLedger ledger;
  const auto first = ledger.add("a");
  const auto second = ledger.add(std::vector<Bytes>{"b", "c"});
  EXPECT_EQ(first, 1U);
  EXPECT_EQ(ledger.open(), 2U);
  EXPECT_EQ(ledger.take(second), (std::vector<Bytes>{"b", "c"}));
  EXPECT_FALSE(ledger.take(second));
  EXPECT_EQ(ledger.take(first), std::vector<Bytes>{"a"});
  EXPECT_EQ(ledger.open(), 0U);
  EXPECT_FALSE(ledger.take(0));
  EXPECT_FALSE(ledger.take(99));
  EXPECT_EQ(ledger.add("d"), 3U);
}

std::string ranges(Unsettled& unsettled, std::uint64_t first, std::uint64_t last,
                   Unsettled::State from, Unsettled::State to) {
  std::string text;
  unsettled.change(first, last, from, to, [&](std::uint64_t begin, std::uint64_t end) {
    text += std::to_string(begin) + "-" + std::to_string(end) + " ";
  });
  return text;
}

TEST(Unsettled, settles_ranges_and_passes_over_what_is_not_open) {
  using enum Unsettled::State;
  Unsettled unsettled;
  for (std::uint64_t id = 1; id <= 10; ++id) unsettled.add(id);
  EXPECT_EQ(unsettled.open(), 10U);
  EXPECT_EQ(ranges(unsettled, 4, 4, open, claimed), "4-4 ");
  EXPECT_EQ(ranges(unsettled, 6, 6, open, settled), "6-6 ");
  EXPECT_EQ(ranges(unsettled, 1, 8, open, settled), "1-3 5-5 7-8 ");
  EXPECT_EQ(unsettled.open(), 2U);
  EXPECT_EQ(unsettled.first(), 4U);
  EXPECT_EQ(unsettled.state(4), claimed);
  EXPECT_EQ(unsettled.state(3), settled);
  EXPECT_EQ(unsettled.state(9), open);
  EXPECT_EQ(unsettled.state(11), settled);
  EXPECT_EQ(ranges(unsettled, 1, 99, claimed, open), "4-4 ");
  EXPECT_EQ(ranges(unsettled, 1, 99, open, settled), "4-4 9-10 ");
  EXPECT_EQ(ranges(unsettled, 1, 99, open, settled), "");
  unsettled.add(15);
  EXPECT_EQ(unsettled.first(), 15U);
}

TEST(Unsettled, deliveries_that_were_never_written_count_as_settled) {
  Unsettled unsettled;
  unsettled.add(1);
  unsettled.add(4);
  EXPECT_EQ(unsettled.state(2), Unsettled::State::settled);
  EXPECT_EQ(unsettled.open(), 2U);
}

TEST(Fifo, is_a_queue) {
  Fifo<std::string> fifo;
  std::size_t in = 0, out = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < round % 7; ++i) fifo.push_back(std::to_string(in++));
    for (int i = 0; i < round % 5 && !fifo.empty(); ++i) {
      EXPECT_EQ(fifo.front(), std::to_string(out++));
      fifo.pop_front();
    }
    EXPECT_EQ(fifo.size(), in - out);
    if (fifo.size() > 1) {
      EXPECT_EQ(fifo[1], std::to_string(out + 1));
    }
  }
  fifo.remove_if([](const std::string& each) { return each.back() == '0'; });
  while (!fifo.empty()) {
    if (out % 10 == 0) ++out;
    EXPECT_EQ(fifo.front(), std::to_string(out++));
    fifo.pop_front();
  }
}

TEST(BasicLogin, is_read_strictly) {
  EXPECT_EQ(read_basic_login("Basic bWU6c2VjcmV0"), std::pair("me"s, "secret"s));
  EXPECT_EQ(read_basic_login("bAsIc bWU6"), std::pair("me"s, ""s));
  EXPECT_EQ(read_basic_login("Basic bWU6YTpi"), std::pair("me"s, "a:b"s));
  for (const char* bad : {"", "Basic", "Basic ", "Bearer bWU6c2VjcmV0", "Basic bWU", "Basic b?U6",
                          "Basic bWVz", "Basic ===="})
    EXPECT_FALSE(read_basic_login(bad)) << bad;
}

}  // namespace
}  // namespace hawser::stomp::detail
