// Selectors: the truth of each operator, three-valued logic, what headers become beside what, and
// the error of each fault.
#include <hawser/bus/selector.hpp>

#include <hawser/base/random.hpp>
#include <hawser/bus/message.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::bus {
namespace {

class Headers final : public HeaderLookup {
 public:
  Headers(std::initializer_list<std::pair<const std::string, std::string>> headers)
      : headers_(headers) {}
  std::optional<std::string_view> find(std::string_view name) const noexcept override {
    const auto found = headers_.find(std::string(name));
    if (found == headers_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::map<std::string, std::string> headers_;
};

const Headers& sample() {
  static const Headers headers{
      {"color", "red"},       {"weight", "2500"}, {"ratio", "0.5"},
      {"flag", "true"},       {"off", "FALSE"},   {"empty", ""},
      {"name", "O'Neill"},    {"small", "-7"},    {"big", "9223372036854775807"},
      {"code", "007"},        {"percent", "5%"},  {"umlaut", "M\xC3\xBCller"},
      {"x-y", "dash"},        {"x", "10"},        {"y", "4"},
      {"persistent", "true"}, {"priority", "7"},  {"type", "news.sport"},
      {"date", "2026-03-01"}};
  return headers;
}

bool accepts(std::string_view text) {
  const auto selector = Selector::compile(text);
  EXPECT_TRUE(selector.has_value()) << text << ": " << (selector ? "" : selector.error().text());
  return selector && (*selector)->accepts(sample());
}

void expect_true(std::initializer_list<std::string_view> texts) {
  for (const auto text : texts) EXPECT_TRUE(accepts(text)) << text;
}
void expect_false(std::initializer_list<std::string_view> texts) {
  for (const auto text : texts) EXPECT_FALSE(accepts(text)) << text;
}
/// Neither it nor its opposite is wanted.
void expect_unknown(std::initializer_list<std::string_view> texts) {
  for (const auto text : texts) {
    EXPECT_FALSE(accepts(text)) << text;
    EXPECT_FALSE(accepts("NOT (" + std::string(text) + ")")) << text;
  }
}

TEST(Selector, compares_headers_with_texts_and_numbers) {
  expect_true({"color = 'red'",
               "color <> 'blue'",
               "weight = 2500",
               "weight > 2499.5",
               "weight >= 2500",
               "weight < 1e4",
               "weight <= 2500L",
               "2000 < weight",
               "ratio = .5",
               "ratio < 1",
               "small = -7",
               "small < +0",
               "'red' = color",
               "color > 'blue'",
               "date >= '2026-01-01' and date < '2027-01-01'",
               "name = 'O''Neill'",
               "empty = ''",
               "big = 9223372036854775807",
               "big > 9223372036854775806",
               "weight = 2500.0d",
               "1 = 1",
               "'a' = 'a'",
               "code = 7",
               "code = '007'"});
  expect_false({"color = 'blue'", "color <> 'red'", "weight > 2500", "weight = 2501", "empty = 'x'",
                "color = 'RED'", "big < 9223372036854775807", "1 = 2", "'a' = 'b'"});
}

TEST(Selector, compares_two_headers_as_numbers_if_both_are) {
  expect_true({"x > y", "weight > x", "color <> x", "x <> color"});
  expect_false({"x = y", "x < y", "color = x"});
}

TEST(Selector, compares_what_is_of_unlike_kinds_as_false) {
  expect_false({"color = 5", "color <> 5", "color > 5", "color = TRUE", "color <> TRUE",
                "weight = FALSE", "color BETWEEN 1 AND 9", "empty = 0", "date > 5"});
  expect_true({"NOT color = 5", "color NOT IN (1, 2)"});
}

TEST(Selector, reads_conditions_from_headers) {
  expect_true({"flag", "NOT off", "flag = TRUE", "off = false", "flag AND NOT off", "TRUE",
               "flag <> FALSE", "flag or color"});
  expect_false({"off", "NOT flag", "FALSE", "flag = FALSE"});
  expect_unknown({"color", "color AND flag", "missing"});
}

TEST(Selector, follows_three_valued_logic) {
  expect_unknown({"missing = 1", "missing <> 1", "missing > 'a'", "missing BETWEEN 1 AND 2",
                  "missing IN ('a')", "missing LIKE '%'", "missing + 1 = 2", "-missing = 1",
                  "missing = missing", "missing = 1 AND TRUE", "missing = 1 OR FALSE",
                  "weight BETWEEN 1 AND missing AND TRUE OR missing = 2"});
  expect_true({"missing = 1 OR TRUE", "TRUE OR missing = 1", "NOT (missing = 1 AND FALSE)",
               "NOT (FALSE AND missing = 1)", "missing IS NULL", "color IS NOT NULL",
               "NOT color IS NULL", "empty IS NOT NULL", "weight NOT BETWEEN missing AND 10"});
  expect_false({"missing = 1 AND FALSE", "missing IS NOT NULL", "color IS NULL"});
}

TEST(Selector, binds_as_sql_does) {
  expect_true({"TRUE OR TRUE AND FALSE", "NOT FALSE AND TRUE", "NOT (FALSE AND TRUE)",
               "1 + 2 * 3 = 7", "(1 + 2) * 3 = 9", "10 - 4 - 3 = 3", "100 / 10 / 5 = 2",
               "- 2 + 3 = 1", "-(2 + 3) = -5", "- - 5 = 5", "2 - -3 = 5", "not not flag",
               "1 < 2 and 2 < 3 or false", "(weight > 1) = (ratio < 1)"});
  expect_false({"(TRUE OR TRUE) AND FALSE", "NOT TRUE OR FALSE"});
}

TEST(Selector, calculates) {
  expect_true({"weight + 1 = 2501", "weight - x * 50 = 2000", "weight / 1000 = 2",
               "weight / 1000.0 = 2.5", "x / y = 2", "ratio * 4 = 2", "small * -1 = 7",
               "-weight = -2500", "big + 1 > 9.2e18", "big * big > 1e37", "-big < 0",
               "9223372036854775808 > big", "9007199254740993 > 9007199254740992.0",
               "(0 - big - 1) / -1 > 9e18", "-(0 - big - 1) > 9e18", "7 / -2 = -3"});
  expect_unknown({"weight / 0 = 1", "weight / 0.0 = 1", "color + 1 = 2", "empty * 2 = 0"});
}

TEST(Selector, knows_between_and_in) {
  expect_true({"weight BETWEEN 2500 AND 2500", "weight NOT BETWEEN 1 AND 2499",
               "color BETWEEN 'a' AND 'z'", "weight - 1 BETWEEN x AND 2 * weight",
               "color IN ('blue', 'red')", "color NOT IN ('blue')", "weight IN (1, -2, 2500.0)",
               "name IN ('O''Neill')", "x + 1 IN (11)"});
  expect_false({"weight BETWEEN 2501 AND 2499", "color IN ('blue', 'RED')", "color IN (1)",
                "weight NOT IN (2500)", "color NOT BETWEEN 'a' AND 'z'"});
}

TEST(Selector, matches_patterns) {
  expect_true({"color LIKE 'red'",
               "color LIKE 'r%'",
               "color LIKE '%d'",
               "color LIKE '%e%'",
               "color LIKE 'r_d'",
               "color LIKE '___'",
               "color LIKE '%'",
               "color LIKE '%%%'",
               "color LIKE '%r%e%d%'",
               "color LIKE '_%'",
               "color LIKE '%_d'",
               "color LIKE 'r%_'",
               "empty LIKE ''",
               "empty LIKE '%'",
               "percent LIKE '5\\%' ESCAPE '\\'",
               "percent LIKE '_!%' ESCAPE '!'",
               "umlaut LIKE 'M_ller'",
               "umlaut LIKE '%_ll%'",
               "umlaut LIKE '______'",
               "umlaut LIKE '%_____r'",
               "color NOT LIKE 'b%'",
               "'abcabcd' LIKE '%abcd'",
               "'aab' LIKE '%_b'",
               "'aXbXc' LIKE 'a%X_'",
               "JMSType LIKE 'news.%'",
               "'a_b' LIKE 'ax_b' ESCAPE 'x'",
               "'mississippi' LIKE '%iss%ip%'",
               "'mississippi' LIKE 'm_ss%s_pp_'"});
  expect_false({"color LIKE 'RED'", "color LIKE 're'", "color LIKE 'ed'", "color LIKE '____'",
                "color LIKE '__'", "color LIKE '%x%'", "color LIKE '%e'", "color LIKE 'e%'",
                "empty LIKE '_'", "umlaut LIKE '_______'", "color LIKE 'red_%'",
                "percent LIKE '_x' ESCAPE '!'", "'aa' LIKE 'a%aa'", "'ab' LIKE '%b%b'",
                "'axb' LIKE 'ax_b' ESCAPE 'x'", "color NOT LIKE 'r%'", "'ab' LIKE '%a_b'"});
}

TEST(Selector, takes_names_in_double_quotes_and_the_names_of_jms) {
  expect_true({"\"x-y\" = 'dash'", "\"color\" = 'red'", "x - y = 6", "JMSPriority > 5",
               "JMSDeliveryMode = 'PERSISTENT'", "JMSType = 'news.sport'",
               "hyphenated_props:x-y = 'dash'", "convert_string_expressions:weight = 2500",
               "convert_string_expressions:hyphenated_props:x-y='dash' and x -y=6"});
  expect_unknown({"JMSCorrelationID = 'a'", "Color = 'red'"});
}

TEST(Selector, keywords_come_in_any_case_and_white_space_anywhere) {
  expect_true({"color='red'and weight>1", "\tcolor\n=\r\n'red' ", "color in('red')Or false",
               "weight Between 1 And 9999", "color is NOT null"});
}

std::string fault(std::string_view text, const SelectorLimits& limits = {}) {
  const auto selector = Selector::compile(text, limits);
  EXPECT_FALSE(selector.has_value()) << text;
  return selector ? "" : selector.error().detail;
}

TEST(Selector, names_the_place_of_a_fault_and_what_was_expected) {
  EXPECT_EQ(fault(""), "position 1: expected a value, found the end");
  EXPECT_EQ(fault("color ="), "position 8: expected a value, found the end");
  EXPECT_EQ(fault("color = AND"), "position 9: expected a value, found AND");
  EXPECT_EQ(fault("color = 'red' weight"),
            "position 15: expected AND, OR or the end, found weight");
  EXPECT_EQ(fault("a = b = c"), "position 7: expected AND, OR or the end, found =");
  EXPECT_EQ(fault("color = 'red"), "position 9: the closing quote is missing");
  EXPECT_EQ(fault("color != 'red'"), "position 7: not equal is written <>");
  EXPECT_EQ(fault("a = 1 & b"), "position 7: this character has no meaning here");
  EXPECT_EQ(fault("\"\" = 1"), "position 1: a name between the quotes");
  EXPECT_EQ(fault("1a = 2"), "position 1: neither a number nor a name");
  EXPECT_EQ(fault("a = 1.5L"), "position 5: a number with a fraction or exponent takes no L");
  EXPECT_EQ(fault("a = 1e999"), "position 5: a number too large or too small");
  EXPECT_EQ(fault("weight"
                  " NOT = 1"),
            "position 12: expected BETWEEN, IN or LIKE, found =");
  EXPECT_EQ(fault("(a = 1"), "position 7: expected ), found the end");
  EXPECT_EQ(fault("a = 1)"), "position 6: expected AND, OR or the end, found )");
  EXPECT_EQ(fault("a IN ()"), "position 7: expected a text or a number, found )");
  EXPECT_EQ(fault("a IN 'x'"), "position 6: expected ( and a list, found 'x'");
  EXPECT_EQ(fault("a IN (b)"), "position 7: expected a text or a number, found b");
  EXPECT_EQ(fault("a IN (-b)"), "position 7: expected a literal in the list");
  EXPECT_EQ(fault("a IN ('x' 'y')"), "position 11: expected , or ), found 'y'");
  EXPECT_EQ(fault("a BETWEEN 1"), "position 12: expected AND and the upper bound, found the end");
  EXPECT_EQ(fault("a BETWEEN 1 OR 2"), "position 13: expected AND and the upper bound, found OR");
  EXPECT_EQ(fault("a LIKE 5"), "position 8: expected a pattern in quotes, found 5");
  EXPECT_EQ(fault("a LIKE 'x' ESCAPE 'yy'"),
            "position 19: expected one character of ASCII in quotes");
  EXPECT_EQ(fault("a LIKE 'x!y' ESCAPE '!'"),
            "position 8: in a pattern the escape character stands before %, _ or itself");
  EXPECT_EQ(fault("a LIKE 'x!' ESCAPE '!'"),
            "position 8: in a pattern the escape character stands before %, _ or itself");
  EXPECT_EQ(fault("a IS 5"), "position 6: expected NULL or NOT NULL, found 5");
  EXPECT_EQ(fault("a IS NOT 5"), "position 10: expected NULL, found 5");
  EXPECT_EQ(fault("1 + a IS NULL"), "position 1: expected a header's name before IS");
}

TEST(Selector, refuses_kinds_that_can_never_fit) {
  EXPECT_EQ(fault("5"), "position 1: expected a condition, such as a comparison");
  EXPECT_EQ(fault("a AND 'x'"), "position 7: expected a condition, such as a comparison");
  EXPECT_EQ(fault("NOT (a + 1)"), "position 6: expected a condition, such as a comparison");
  EXPECT_EQ(fault("'x' + 1 = 2"), "position 1: expected a number or a header");
  EXPECT_EQ(fault("-'x' = 2"), "position 2: expected a number or a header");
  EXPECT_EQ(fault("'5' = 5"), "position 7: expected a text, as on the other side");
  EXPECT_EQ(fault("a + 1 = 'x'"), "position 9: expected a number, as on the other side");
  EXPECT_EQ(fault("TRUE = 1"), "position 8: expected TRUE or FALSE, as on the other side");
  EXPECT_EQ(fault("a > TRUE"), "position 5: expected a number or a text");
  EXPECT_EQ(fault("5 LIKE '5'"), "position 1: expected a header or a text");
  EXPECT_EQ(fault("a + 1 IN ('x')"), "position 11: expected a number, as on the other side");
  EXPECT_EQ(fault("TRUE BETWEEN 1 AND 2"), "position 1: expected a number or a text");
}

TEST(Selector, keeps_within_its_limits) {
  const auto kind = [](const std::string& text, SelectorLimits limits) {
    const auto selector = Selector::compile(text, limits);
    return selector ? "taken" : std::string(to_string(selector.error().kind));
  };
  EXPECT_EQ(fault("color = 'red'", {.length = 12}), "13 bytes, 12 at most");
  EXPECT_EQ(kind("color = 'red'", {.length = 13}), "taken");
  for (const std::uint32_t depth : {3U, 32U, 1000U, 4'000'000U}) {
    const std::uint32_t most = std::min(depth, 1000U);
    const SelectorLimits limits{.length = 1'000'000, .depth = depth};
    const auto nested = [](std::string_view open, std::uint32_t times, std::string_view close) {
      std::string text;
      for (std::uint32_t i = 0; i < times; ++i) text += open;
      text += "a";
      for (std::uint32_t i = 0; i < times; ++i) text += close;
      return text;
    };
    EXPECT_EQ(kind(nested("(", most, ")"), limits), "taken");
    EXPECT_EQ(kind(nested("(", most + 1, ")"), limits), "overloaded");
    EXPECT_EQ(kind(nested("NOT ", most, ""), limits), "taken");
    EXPECT_EQ(kind(nested("NOT ", most + 1, ""), limits), "overloaded");
    EXPECT_EQ(kind("1 <" + nested("- ", most - 1, ""), limits), "taken");
    EXPECT_EQ(kind("1 <" + nested("- ", most + 1, ""), limits), "overloaded");
    EXPECT_EQ(kind("1 < " + nested("", most - 1, "+1"), limits), "taken");
    EXPECT_EQ(kind("1 < " + nested("", most + 1, "+1"), limits), "overloaded");
    EXPECT_EQ(kind(nested("(", 100'000, ")"), limits), "overloaded");
  }
  // A long list is not a deep tree.
  std::string list = "a = 0";
  for (int i = 1; i < 200; ++i) list += " OR a = " + std::to_string(i) + " AND b";
  EXPECT_EQ(kind(list, {}), "taken");
  EXPECT_EQ(fault("a LIKE '_" + std::string(64, 'x') + "'"),
            "position 8: a part of a pattern with _ in it has at most 64 characters");
}

TEST(Selector, numbers_are_read_whole_or_not_at_all) {
  for (const char* text : {"", "+", "-", "+-1", "-+1", " 1", "1 ", "inf", "nan", "-inf", "0x10",
                           "1e", "1.2.3", ".", "1e999", "one"}) {
    const Headers headers{{"n", text}};
    EXPECT_FALSE((*Selector::compile("n >= 0 OR n < 0"))->accepts(headers)) << text;
  }
  for (const char* text :
       {"0", "+1", "-1", ".5", "5.", "1e3", "-1.5E-3", "00012", "99999999999999999999"}) {
    const Headers headers{{"n", text}};
    EXPECT_TRUE((*Selector::compile("n >= 0 OR n < 0"))->accepts(headers)) << text;
  }
}

TEST(Selector, asks_a_message_for_its_own) {
  PropertyLines lines;
  lines.add("color", "red");
  lines.add("color", "blue");
  lines.add("path", "a:b\\c");
  MessageDraft draft{.destination = "/queue/jobs", .content_type = "text/plain"};
  draft.properties = lines.view();
  draft.priority = 7;
  draft.expires = 1'800'000'000'000;
  const MessagePtr message = Message::make(draft);
  const auto asked = [&](std::string_view text) {
    const auto filter = make_selector(text);
    return (*filter)->accepts(*message);
  };
  EXPECT_TRUE(asked("color = 'red'"));
  EXPECT_TRUE(asked("JMSDestination = '/queue/jobs'"));
  EXPECT_TRUE(asked("\"content-type\" LIKE 'text/%'"));
  EXPECT_TRUE(asked("JMSDeliveryMode = 'NON_PERSISTENT'"));
  EXPECT_TRUE(asked("JMSPriority = 7"));
  EXPECT_TRUE(asked("JMSExpiration BETWEEN 1799999999999 AND 1800000000000"));
  EXPECT_TRUE(asked("path = 'a:b\\c' AND path <> color AND color = 'red'"));
  EXPECT_TRUE(asked("body IS NULL"));
}

TEST(Selector, keeps_its_text) {
  const auto filter = make_selector("name = 'O''Neill'");
  ASSERT_TRUE(filter.has_value());
  EXPECT_EQ((*filter)->text(), "name = 'O''Neill'");
  EXPECT_FALSE(make_selector("name =").has_value());
}

TEST(Selector, a_hostile_pattern_costs_time_in_proportion) {
  // Steps are bounded by 64 a byte, 16 KiB of value: a million, where backtracking would never end.
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "%a_aaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  const auto selector = Selector::compile("v LIKE '" + pattern + "b'");
  ASSERT_TRUE(selector.has_value());
  const Headers headers{{"v", std::string(16'384, 'a')}};
  EXPECT_FALSE((*selector)->accepts(headers));
}

/// LIKE written down in the plainest way, to compare with.
bool naive_like(std::string_view pattern, std::string_view value) {
  if (pattern.empty()) return value.empty();
  if (pattern[0] == '%') {
    for (std::size_t i = 0; i <= value.size(); ++i)
      if (naive_like(pattern.substr(1), value.substr(i))) return true;
    return false;
  }
  if (value.empty() || (pattern[0] != '_' && pattern[0] != value[0])) return false;
  return naive_like(pattern.substr(1), value.substr(1));
}

TEST(Selector, like_agrees_with_its_definition) {
  Random random(11);
  int matched = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string pattern;
    std::string value;
    for (std::uint64_t i = random.below(8); i > 0; --i) pattern += "ab_%"[random.below(4)];
    for (std::uint64_t i = random.below(9); i > 0; --i) value += "ab"[random.below(2)];
    const auto selector = Selector::compile("v LIKE '" + pattern + "'");
    ASSERT_TRUE(selector.has_value());
    const bool found = (*selector)->accepts(Headers{{"v", value}});
    ASSERT_EQ(found, naive_like(pattern, value)) << pattern << " and " << value;
    matched += found ? 1 : 0;
  }
  EXPECT_GT(matched, 1000);
}

}  // namespace
}  // namespace hawser::bus
