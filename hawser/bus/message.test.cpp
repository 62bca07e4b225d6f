// A message's form: what goes in comes out, whatever octets it has.
#include <hawser/bus/message.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser::bus {
namespace {

using namespace std::string_literals;

TEST(Message, lies_as_it_would_be_written) {
  PropertyLines lines;
  EXPECT_TRUE(lines.add("foo", "bar"));
  EXPECT_TRUE(lines.add("empty", ""));
  MessageDraft draft;
  draft.destination = "/queue/a";
  draft.content_type = "text/plain";
  draft.properties = lines.view();
  const std::string body = "a\0b"s;
  draft.body = body;
  draft.group = "g";
  const MessagePtr message = Message::make(draft);
  EXPECT_EQ(message->whole(),
            "destination:/queue/a\ncontent-type:text/plain\nfoo:bar\nempty:\ncontent-length:3\n\n"
            "a\0b\0"s);
  EXPECT_TRUE(message->head_after_destination().starts_with("content-type:"));
  EXPECT_EQ(message->destination(), "/queue/a");
  EXPECT_EQ(message->content_type(), "text/plain");
  EXPECT_EQ(message->group(), "g");
  EXPECT_EQ(message->body(), "a\0b"s);
  EXPECT_FALSE(message->has_escapes());
  Bytes scratch;
  EXPECT_EQ(message->property("empty", scratch), "");
  EXPECT_EQ(message->property("none", scratch), std::nullopt);
  EXPECT_EQ(message->properties(), (std::vector<Property>{{"foo", "bar"}, {"empty", ""}}));
}

TEST(Message, an_empty_body_has_no_length_and_a_long_one_lies_beside) {
  MessageDraft draft;
  draft.destination = "/queue/a";
  EXPECT_EQ(Message::make(draft)->whole(), "destination:/queue/a\n\n\0"s);
  const std::string body(Message::inline_body + 1, 'x');
  draft.body = body;
  const MessagePtr message = Message::make(draft);
  EXPECT_EQ(message->body(), body);
  EXPECT_EQ(message->shared_body().size(), body.size());
  EXPECT_TRUE(message->whole().empty());
  EXPECT_TRUE(message->head().ends_with("content-length:4097\n\n"));
}

TEST(Message, escapes_what_must_be_and_reads_it_back) {
  PropertyLines lines;
  const std::string name = "a:b\\c";
  const std::string value = "x\ny\rz:\\n";
  EXPECT_TRUE(lines.add(name, value));
  EXPECT_FALSE(lines.add("nul", "a\0b"s));
  EXPECT_FALSE(lines.add("", "x"));
  EXPECT_EQ(lines.view(), "a\\cb\\\\c:x\\ny\\rz\\c\\\\n\n");
  MessageDraft draft;
  draft.destination = "/topic/a:b";
  draft.content_type = "odd:\r";
  draft.properties = lines.view();
  draft.body = "body";
  const MessagePtr message = Message::make(draft);
  EXPECT_TRUE(message->has_escapes());
  EXPECT_TRUE(message->has_carriage_return());
  EXPECT_EQ(message->destination(), "/topic/a:b");
  EXPECT_EQ(message->content_type(), "odd:\r");
  EXPECT_TRUE(message->head().starts_with("destination:/topic/a\\cb\ncontent-type:odd\\c\\r\n"));
  Bytes scratch;
  EXPECT_EQ(message->property(name, scratch), value);
  EXPECT_EQ(message->properties(), (std::vector<Property>{{name, value}}));
  EXPECT_EQ(message->body(), "body");
}

TEST(Message, is_shared_and_a_rendition_is_made_once) {
  MessageDraft draft;
  draft.body = "a";
  const MessagePtr message = Message::make(draft);
  const MessagePtr copy = message;
  EXPECT_EQ(copy.get(), message.get());
  int made = 0;
  const auto make = [&] { return std::string("made ") + std::to_string(++made); };
  EXPECT_EQ(message->rendition(0, make).view(), "made 1");
  EXPECT_EQ(copy->rendition(0, make).view(), "made 1");
  EXPECT_EQ(message->rendition(1, make).view(), "made 2");
  message.retain(3);
  (void)MessagePtr::adopt(message.get());
  MessagePtr::give_back(message, 2);
}

}  // namespace
}  // namespace hawser::bus
