// Frames as values (S-22, S-28), their text form, and the names of commands.
#include <hawser/stomp/frame.hpp>

#include <hawser/stomp/describe.hpp>
#include <hawser/stomp/parser.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

TEST(StompFrame, S_22_headers_keep_order_and_duplicates) {
  const Frame frame = Frame{Command::send}.add("b", "1").add("a", "2").add("b", "3");
  ASSERT_EQ(frame.headers.size(), 3U);
  EXPECT_EQ(frame.headers[2], (Header{"b", "3"}));
}

TEST(StompFrame, S_28_the_first_of_duplicates_wins) {
  const Frame frame = Frame{Command::send}.add("b", "1").add("a", "2").add("b", "3");
  EXPECT_EQ(frame.first("b"), "1");
  EXPECT_EQ(frame.first("c"), std::nullopt);
  const auto map = frame.to_map();
  EXPECT_EQ(map.size(), 2U);
  EXPECT_EQ(map.at("b"), "1");
}

TEST(StompFrame, set_and_remove) {
  Frame frame = Frame{Command::send}.add("b", "1").add("a", "2").add("b", "3");
  frame.set("b", "9");
  EXPECT_EQ(frame.headers, (std::vector<Header>{{"b", "9"}, {"a", "2"}}));
  frame.set("c", "4");
  EXPECT_EQ(frame.headers.back(), (Header{"c", "4"}));
  EXPECT_EQ(frame.remove("b"), 1U);
  EXPECT_EQ(frame.remove("b"), 0U);
}

TEST(StompFrame, S_23_fifteen_commands) {
  for (int number = 1; number <= 15; ++number) {
    const auto command = static_cast<Command>(number);
    EXPECT_EQ(find_command(to_string(command)), command);
  }
  EXPECT_EQ(find_command("UNKNOWN"), Command::unknown);
  EXPECT_EQ(find_command(""), Command::unknown);
}

TEST(StompFrame, copies_of_a_view_share_nothing_with_it) {
  Frame copy;
  {
    const Bytes octets("SEND\na:b\n\nbody\0", 15);
    Parser parser;
    FrameView frame;
    BytesView input = octets;
    ASSERT_EQ(parser.next(input, frame), Step::frame);
    copy = frame.to_frame();
  }
  EXPECT_EQ(copy, (Frame{Command::send, {{"a", "b"}}, Payload("body")}));
}

TEST(StompDescribe, one_visible_line) {
  EXPECT_EQ(describe(Frame{Command::send, {{"destination", "/a\n"}, {"b c", ""}}, Payload("12")}),
            "SEND destination:\"/a\\n\" \"b c\":\"\" (2 octets of body)");
  EXPECT_EQ(describe(Frame{Command::disconnect}), "DISCONNECT");
}

TEST(StompDescribe, a_passcode_is_never_shown) {
  for (const char* name : {"passcode", "Passcode", "PASSCODE"}) {
    const Bytes text = describe(
        Frame{Command::connect}.add("login", "me").add(name, "secret").add(name, "secret"));
    EXPECT_EQ(text.find("secret"), Bytes::npos) << text;
    EXPECT_NE(text.find("login:\"me\""), Bytes::npos);
    EXPECT_NE(text.find(Bytes(name) + ":***"), Bytes::npos);
  }
}

TEST(StompDescribe, is_bounded) {
  Frame frame{Command::send};
  for (int i = 0; i < 100; ++i) frame.add(Bytes(1'000, 'n'), Bytes(1'000, '\x01'));
  EXPECT_LT(describe(frame).size(), 16U * 500U);
  EXPECT_TRUE(describe(frame).ends_with(" ..."));
}

TEST(StompDescribe, views_and_foreign_commands) {
  const ParserOptions options{.pass_unknown_commands = true};
  Parser parser(options);
  FrameView frame;
  BytesView input("SEND\npasscode:x\n\n\0HEY\ta\nb:c\n\n\0", 31);
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  EXPECT_EQ(describe(frame), "SEND passcode:***");
  ASSERT_EQ(parser.next(input, frame), Step::frame);
  EXPECT_EQ(describe(frame), "\"HEY\\x09a\" b:\"c\"");
}

}  // namespace
}  // namespace hawser::stomp
