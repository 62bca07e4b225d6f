// Options from the command line and from a file: which wins, and what each mistake is called.
#include "option_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace hawser::app {
namespace {

using testing::HasSubstr;
using testing::Not;

enum class Colour { red, green };

struct OptionTableTest : ::testing::Test {
  OptionTableTest() {
    table.add_text("name", "TEXT", name, "a text");
    table.add_duration("login-timeout", timeout, "a time");
    table.add_size("body-limit", limit, "a size");
    table.add_number("schedulers", schedulers, 0, 64, "a number");
    table.add_choice("colour", colour, {{"red", Colour::red}, {"green", Colour::green}}, "a word");
  }
  ~OptionTableTest() override {
    if (!path.empty()) std::remove(path.c_str());
  }
  void parse(std::vector<std::string> words) {
    std::ranges::reverse(words);  // as CLI11 wants a vector
    app.parse(words);
  }
  Result<void> apply(const std::string& content) {
    path = testing::TempDir() + "hawser_option_table_" +
           testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml";
    std::ofstream(path) << content;
    return table.apply_file(path);
  }
  void expect_refused(const std::string& content, const std::string& line,
                      const std::string& what) {
    const auto applied = apply(content);
    ASSERT_FALSE(applied) << content;
    EXPECT_EQ(applied.error().kind, ErrorKind::invalid_argument);
    EXPECT_THAT(applied.error().text(), HasSubstr(path + ":" + line + ": "));
    EXPECT_THAT(applied.error().text(), HasSubstr(what));
    EXPECT_THAT(applied.error().text(), Not(HasSubstr("\n")));
  }

  CLI::App app{"test"};
  OptionTable table{app};
  std::string name = "hub";
  Duration timeout = 10s;
  std::size_t limit = 65536;
  unsigned schedulers = 0;
  Colour colour = Colour::red;
  std::string path;
};

TEST_F(OptionTableTest, keeps_defaults_and_shows_them) {
  parse({});
  EXPECT_EQ(timeout, Duration(10s));
  const std::string help = app.help();
  EXPECT_THAT(help, HasSubstr("--login-timeout TIME"));
  for (const char* text : {"10s", "64KiB", "red|green", "a time", "a word"})
    EXPECT_THAT(help, HasSubstr(text));
}

TEST_F(OptionTableTest, reads_the_command_line) {
  parse({"--name", "x", "--login-timeout", "250ms", "--body-limit=1MiB", "--schedulers", "4",
         "--colour", "green"});
  EXPECT_EQ(name, "x");
  EXPECT_EQ(timeout, Duration(250ms));
  EXPECT_EQ(limit, 1u << 20U);
  EXPECT_EQ(schedulers, 4u);
  EXPECT_EQ(colour, Colour::green);
}

TEST_F(OptionTableTest, refuses_wrong_values_by_the_options_name) {
  for (const auto& [option, value] :
       {std::pair("--login-timeout", "10"), std::pair("--body-limit", "64K"),
        std::pair("--schedulers", "65"), std::pair("--schedulers", "-1"),
        std::pair("--schedulers", "2x"), std::pair("--colour", "blue")}) {
    try {
      app.clear();
      parse({option, value});
      ADD_FAILURE() << option << " " << value;
    } catch (const CLI::ParseError& error) {
      EXPECT_THAT(error.what(), HasSubstr(option));
      EXPECT_THAT(error.what(), HasSubstr("'" + std::string(value) + "'"));
    }
  }
}

TEST_F(OptionTableTest, a_file_has_the_same_names) {
  parse({});
  ASSERT_TRUE(
      apply("# a comment\nname = \"x\"\nlogin-timeout = \"250ms\"\nbody-limit = 4096\n"
            "schedulers = 4\ncolour = \"green\"\n"));
  EXPECT_EQ(name, "x");
  EXPECT_EQ(timeout, Duration(250ms));
  EXPECT_EQ(limit, 4096u);
  EXPECT_EQ(schedulers, 4u);
  EXPECT_EQ(colour, Colour::green);
}

TEST_F(OptionTableTest, the_command_line_beats_the_file) {
  parse({"--schedulers", "1"});
  ASSERT_TRUE(apply("schedulers = 4\nname = \"x\"\n"));
  EXPECT_EQ(schedulers, 1u);
  EXPECT_EQ(name, "x");
}

TEST_F(OptionTableTest, an_empty_file_changes_nothing) {
  parse({});
  EXPECT_TRUE(apply(""));
  EXPECT_EQ(name, "hub");
}

TEST_F(OptionTableTest, mistakes_in_a_file_are_named_with_their_line) {
  parse({});
  expect_refused("name = \"x\"\n\nshedulers = 4\n", "3", "unknown key 'shedulers'");
  expect_refused("[stomp]\nlisten = \"x\"\n", "1", "unknown table 'stomp'");
  expect_refused("schedulers = 65\n", "1", "schedulers: '65' is no whole number from 0 to 64");
  expect_refused("login-timeout = 10\n", "1", "login-timeout: '10' is no duration");
  expect_refused("colour = \"blue\"\n", "1", "colour: 'blue' is none of red|green");
  expect_refused("schedulers = [1, 2]\n", "1", "schedulers: a string or a whole number");
  expect_refused("schedulers = 1.5\n", "1", "schedulers: a string or a whole number");
  expect_refused("name = \"x\"\nname = \"y\"\n", "2", "name");
  expect_refused("name = \"x\"\nschedulers = \n", "2", "");
  expect_refused("zebra = 1\n\nant = 2\n", "1", "unknown key 'zebra'");
}

TEST_F(OptionTableTest, a_file_that_cannot_be_read_is_named) {
  parse({});
  for (const char* wrong : {"/nowhere/hawser.toml", "/"}) {
    const auto applied = table.apply_file(wrong);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, ErrorKind::not_found);
    EXPECT_THAT(applied.error().text(), HasSubstr(wrong));
  }
}

TEST_F(OptionTableTest, leaves_tables_to_others_that_it_was_told_of) {
  table.leave_table("users");
  parse({});
  EXPECT_TRUE(apply("name = 'x'\n[users.alice]\nread = []\n"));
  EXPECT_EQ(name, "x");
  expect_refused("[others]\n", "1", "unknown table 'others'");
  expect_refused("users = 1\n", "1", "unknown key 'users'");
}

}  // namespace
}  // namespace hawser::app
