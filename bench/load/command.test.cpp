// Command lines and ready lines.
#include <bench/load/command.hpp>

#include <gtest/gtest.h>

namespace hawser::bench {
namespace {

using Words = std::vector<std::string>;

TEST(CommandTest, BlanksSeparate) {
  const auto command = split_command("  hawser serve\techo  --schedulers 1 ");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->words, (Words{"hawser", "serve", "echo", "--schedulers", "1"}));
  EXPECT_TRUE(command->environment.empty());
}

TEST(CommandTest, QuotesAndBackslashesKeepBlanks) {
  const auto command = split_command(R"('/a b/c' "d \"e\" \n" f\ g '' x'y'"z")");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->words, (Words{"/a b/c", R"(d "e" \n)", "f g", "", "xyz"}));
}

TEST(CommandTest, AssignmentsBeforeTheProgramAreItsEnvironment) {
  const auto command = split_command("HAWSER_ENGINE=epoll B='x y' C= run A=1");
  ASSERT_TRUE(command);
  ASSERT_EQ(command->environment.size(), 3U);
  EXPECT_EQ(command->environment[0],
            (std::pair<std::string, std::string>("HAWSER_ENGINE", "epoll")));
  EXPECT_EQ(command->environment[1], (std::pair<std::string, std::string>("B", "x y")));
  EXPECT_EQ(command->environment[2], (std::pair<std::string, std::string>("C", "")));
  EXPECT_EQ(command->words, (Words{"run", "A=1"}));
}

TEST(CommandTest, OnlyPlainNamesAreAssigned) {
  EXPECT_EQ(split_command("1A=b")->words, (Words{"1A=b"}));
  EXPECT_EQ(split_command("=b")->words, (Words{"=b"}));
  EXPECT_EQ(split_command("'A=b'")->words, (Words{"A=b"}));
  EXPECT_EQ(split_command("a-b=c")->words, (Words{"a-b=c"}));
}

TEST(CommandTest, WhatIsOpenOrEmptyIsRefused) {
  for (const char* line : {"", "  ", "A=1", "run 'x", "run \"x", "run \\"}) {
    const auto command = split_command(line);
    ASSERT_FALSE(command) << line;
    EXPECT_EQ(command.error().kind, ErrorKind::invalid_argument);
  }
}

TEST(ReadyTest, FieldsComeInAnyOrderAndUnknownOnesAreIgnored) {
  const Ready wanted{{"127.0.0.1", 7007}, 42};
  EXPECT_EQ(parse_ready("ready packet=127.0.0.1:7007 pid=42").value(), wanted);
  EXPECT_EQ(parse_ready("ready pid=42 admin=[::1]:9 packet=127.0.0.1:7007\r").value(), wanted);
  const Ready stomp{{"127.0.0.1", 61613}, 42};
  EXPECT_EQ(parse_ready("ready packet=127.0.0.1:1 stomp=127.0.0.1:61613 pid=42", "stomp").value(),
            stomp);
}

TEST(ReadyTest, OtherLinesAreNotFound) {
  for (const char* line : {"", "ready", "readypacket=127.0.0.1:1 pid=1", "listening on 7007",
                           " ready packet=127.0.0.1:7007 pid=42"}) {
    const auto ready = parse_ready(line);
    ASSERT_FALSE(ready) << line;
    EXPECT_EQ(ready.error().kind, ErrorKind::not_found) << line;
  }
}

TEST(ReadyTest, BadFieldsAreNamed) {
  for (const char* line :
       {"ready pid=42", "ready packet=127.0.0.1:7007", "ready packet=127.0.0.1:70070 pid=1",
        "ready packet=localhost:1 pid=1", "ready packet=127.0.0.1 pid=1",
        "ready packet=127.0.0.1:1 pid=0", "ready packet=127.0.0.1:1 pid=1x",
        "ready packet=127.0.0.1:1 pid=-1", "ready "}) {
    const auto ready = parse_ready(line);
    ASSERT_FALSE(ready) << line;
    EXPECT_EQ(ready.error().kind, ErrorKind::invalid_argument) << line;
  }
}

}  // namespace
}  // namespace hawser::bench
