// What producers send: numbered frames that the project's own parser reads back.
#include <bench/stomp/frames.hpp>

#include <gtest/gtest.h>

namespace hawser::bench {
namespace {

std::size_t count_of(BytesView text, BytesView part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != BytesView::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(Frames, numbers_are_written_as_they_are_read) {
  for (const std::uint64_t number :
       {0ULL, 1ULL, 9ULL, 255ULL, 256ULL, 65'535ULL, 4'294'967'295ULL}) {
    char text[number_digits];
    write_number(text, number);
    EXPECT_EQ(read_number(text), static_cast<std::int64_t>(number));
  }
  EXPECT_EQ(read_number("0000000g"), -1);
  EXPECT_EQ(read_number("0000000A"), -1);
}

TEST(Frames, a_fill_has_nothing_that_ends_a_frame_or_a_line) {
  const std::string fill = body_fill(1000);
  EXPECT_EQ(fill.size(), 1000U);
  EXPECT_EQ(fill.find_first_of(std::string_view("\0\r\n", 3)), std::string::npos);
}

TEST(Frames, destinations_are_in_the_brokers_words) {
  EXPECT_EQ(destination_text(Language::stomp, true, "a.b"), "/queue/a.b");
  EXPECT_EQ(destination_text(Language::stomp, false, "a.b"), "/topic/a.b");
  EXPECT_EQ(destination_text(Language::nats, false, "a.b"), "a.b");
}

TEST(Frames, every_frame_has_the_next_number_and_the_next_destination) {
  SendPlan plan;
  plan.destinations = {"/topic/a", "/topic/b", "/topic/c"};
  plan.body = 20;
  SendFrames frames(plan);
  const std::string fill = body_fill(12);
  for (std::uint64_t number = 0; number < 5000; ++number) {
    std::size_t count = 1;
    const BytesView frame = frames.next(count);
    ASSERT_EQ(count, 1U);
    char digits[number_digits];
    write_number(digits, number);
    std::string wanted = "SEND\ndestination:/topic/";
    wanted += static_cast<char>('a' + number % 3);
    wanted += "\ncontent-length:20\n\n";
    wanted += std::string(digits, number_digits) + fill + '\0';
    ASSERT_EQ(frame, wanted);
    ASSERT_EQ(frames.given(), number + 1);
  }
}

TEST(Frames, many_come_in_one_piece_and_none_is_left_out) {
  SendPlan plan;
  plan.destinations = {"/queue/a"};
  plan.persistent = true;
  plan.receipts = true;
  SendFrames frames(plan);
  std::uint64_t seen = 0;
  for (int turn = 0; turn < 50; ++turn) {
    std::size_t count = 700;  // more than the ring has
    const BytesView piece = frames.next(count);
    EXPECT_GT(count, 0U);
    EXPECT_EQ(count_of(piece, "SEND\n"), count);
    EXPECT_EQ(count_of(piece, "persistent:true\n"), count);
    char digits[number_digits];
    write_number(digits, seen);
    EXPECT_NE(piece.find("receipt:" + std::string(digits, number_digits)), BytesView::npos);
    seen += count;
    EXPECT_EQ(frames.given(), seen);
  }
}

TEST(Frames, nats_has_its_own_form) {
  SendPlan plan;
  plan.language = Language::nats;
  plan.destinations = {"a.b"};
  plan.body = 16;
  SendFrames frames(plan);
  std::size_t count = 1;
  EXPECT_EQ(frames.next(count), "PUB a.b 16\r\n00000000" + body_fill(8) + "\r\n");
  EXPECT_EQ(subscribe_frame(Language::nats, "a.b", 7, "x"), "SUB a.b 7\r\nPING\r\n");
}

}  // namespace
}  // namespace hawser::bench
