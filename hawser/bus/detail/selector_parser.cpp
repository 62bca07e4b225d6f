// Recursive descent over the grammar in selector.hpp. A fault is kept once and makes every rule
// return at the next word.
#include <hawser/bus/detail/selector_parser.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace hawser::bus::detail {
namespace {

constexpr std::string_view convert_prefix = "convert_string_expressions:";
constexpr std::string_view hyphen_prefix = "hyphenated_props:";
constexpr std::uint32_t deepest = 1000;      // what the stack of any thread bears
constexpr std::uint32_t wild_part = 64;      // elements; bounds the time of a match
constexpr std::size_t quoted_in_error = 24;  // bytes of the user's text

/// What JMS calls a header, and its name in STOMP.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> jms_names{{
    {"JMSType", "type"},
    {"JMSCorrelationID", "correlation-id"},
    {"JMSMessageID", "message-id"},
    {"JMSPriority", "priority"},
    {"JMSTimestamp", "timestamp"},
    {"JMSExpiration", "expires"},
    {"JMSReplyTo", "reply-to"},
    {"JMSDestination", "destination"},
    {"JMSRedelivered", "redelivered"},
    {"JMSDeliveryMode", "persistent"},
}};

struct Prefixes {
  std::size_t size = 0;
  bool hyphens = false;
};

Prefixes prefixes(std::string_view text) noexcept {
  Prefixes found;
  for (;;) {
    const std::string_view rest = text.substr(found.size);
    if (rest.starts_with(convert_prefix)) {
      found.size += convert_prefix.size();
    } else if (rest.starts_with(hyphen_prefix)) {
      found.size += hyphen_prefix.size();
      found.hyphens = true;
    } else {
      return found;
    }
  }
}

}  // namespace

SelectorParser::SelectorParser(std::string_view text, const SelectorLimits& limits)
    : limits_(limits),
      tree_(std::make_unique<SelectorTree>()),
      lexer_(text, prefixes(text).size, prefixes(text).hyphens) {
  limits_.depth = std::min(limits_.depth, deepest);
  if (text.size() > limits_.length) {
    fault_ = Error{ErrorKind::overloaded, 0, "selector",
                   fmt::format("{} bytes, {} at most", text.size(), limits_.length)};
    return;
  }
  tree_->text = text;
  tree_->source_size = static_cast<std::uint32_t>(text.size());
  advance();
}

Result<std::unique_ptr<const SelectorTree>> SelectorParser::parse() {
  if (!fault_) {
    const Part whole = any_of();
    require_condition(whole);
    if (word_.token != SelectorToken::end) expected("AND, OR or the end");
    tree_->root = whole.node;
  }
  if (fault_) return std::unexpected(*std::move(fault_));
  return std::move(tree_);
}

// ---- rules
// ---------------------------------------------------------------------------------------------------

SelectorParser::Part SelectorParser::any_of() {
  return chain(&SelectorParser::all_of, "OR", SelectorOp::any_of);
}

SelectorParser::Part SelectorParser::all_of() {
  return chain(&SelectorParser::negation, "AND", SelectorOp::all_of);
}

/// However many are joined, they are children of one node: a long list is not a deep tree.
SelectorParser::Part SelectorParser::chain(Rule rule, std::string_view word, SelectorOp op) {
  const Part first = (this->*rule)();
  if (fault_ || !word_.is(word)) return first;
  require_condition(first);
  Part whole = make(op, Type::condition, first.at, {first});
  std::uint32_t last = first.node;
  while (!fault_ && take(word)) {
    const Part next = (this->*rule)();
    require_condition(next);
    if (fault_) return whole;
    tree_->nodes[last].next = next.node;
    last = next.node;
    whole.height = std::max(whole.height, next.height + 1);
    if (whole.height > limits_.depth + 1) return too_deep(next.at);
  }
  return whole;
}

SelectorParser::Part SelectorParser::negation() {
  const std::size_t at = word_.at;
  if (!take("NOT")) return comparison();
  if (!deeper()) return too_deep(at);
  const Part inner = negation();
  --depth_;
  require_condition(inner);
  return make(SelectorOp::negation, Type::condition, at, {inner});
}

SelectorParser::Part SelectorParser::comparison() {
  const Part left = sum();
  if (fault_) return left;
  if (take("IS")) return is_null(left);
  const bool negated = take("NOT");
  if (take("BETWEEN")) return between(left, negated);
  if (take("IN")) return in(left, negated);
  if (take("LIKE")) return like(left, negated);
  if (negated) return expected("BETWEEN, IN or LIKE");
  static constexpr std::array<std::pair<std::string_view, SelectorOp>, 6> comparisons{{
      {"=", SelectorOp::equal},
      {"<>", SelectorOp::not_equal},
      {"<", SelectorOp::less},
      {"<=", SelectorOp::less_equal},
      {">", SelectorOp::greater},
      {">=", SelectorOp::greater_equal},
  }};
  for (const auto& [sign, op] : comparisons) {
    if (!take(sign)) continue;
    const Part right = sum();
    require_alike(left, right);
    const bool order = op != SelectorOp::equal && op != SelectorOp::not_equal;
    for (const Part& side : {left, right})
      require(side, !order || side.type != Type::condition, "a number or a text");
    return make(op, Type::condition, left.at, {left, right});
  }
  return left;
}

SelectorParser::Part SelectorParser::between(Part value, bool negated) {
  require(value, value.type != Type::condition, "a number or a text");
  const Part low = sum();
  expect("AND", "AND and the upper bound");
  const Part high = sum();
  for (const Part& bound : {low, high}) {
    require(bound, bound.type != Type::condition, "a number or a text");
    require_alike(value, bound);
  }
  const Part whole = make(SelectorOp::between, Type::condition, value.at, {value, low, high});
  if (!fault_) tree_->nodes[whole.node].negated = negated;
  return whole;
}

SelectorParser::Part SelectorParser::in(Part value, bool negated) {
  require(value, value.type != Type::condition, "a number or a text");
  Part whole = make(SelectorOp::in, Type::condition, value.at, {value});
  std::uint32_t last = value.node;
  expect("(", "( and a list");
  do {
    const Part item = literal();
    require_alike(value, item);
    if (fault_) return whole;
    tree_->nodes[last].next = item.node;
    last = item.node;
  } while (take(","));
  expect(")", ", or )");
  if (!fault_) tree_->nodes[whole.node].negated = negated;
  return whole;
}

SelectorParser::Part SelectorParser::like(Part value, bool negated) {
  require(value, value.type == Type::text || value.type == Type::header, "a header or a text");
  if (word_.token != SelectorToken::string) return expected("a pattern in quotes");
  const std::size_t at = word_.at;
  const Part pattern = string();
  std::optional<char> escape;
  if (take("ESCAPE")) {
    const std::size_t escape_at = word_.at;
    if (word_.token != SelectorToken::string) return expected("one character in quotes");
    const std::string_view character = tree_->text_of(tree_->nodes[string().node]);
    if (character.size() != 1 || static_cast<unsigned char>(character[0]) >= 0x80)
      return fault(escape_at, "expected one character of ASCII in quotes");
    escape = character[0];
  }
  if (fault_) return value;
  const std::string copy(tree_->text_of(tree_->nodes[pattern.node]));  // the pool will grow
  const std::uint32_t index = like_pattern(copy, escape, at);
  const Part whole = make(SelectorOp::like, Type::condition, value.at, {value});
  if (fault_) return whole;
  tree_->nodes[whole.node].number = index;
  tree_->nodes[whole.node].negated = negated;
  return whole;
}

SelectorParser::Part SelectorParser::is_null(Part value) {
  const bool negated = take("NOT");
  expect("NULL", negated ? "NULL" : "NULL or NOT NULL");
  if (!fault_ && tree_->nodes[value.node].op != SelectorOp::header)
    return fault(value.at, "expected a header's name before IS");
  const Part whole = make(SelectorOp::is_null, Type::condition, value.at, {value});
  if (!fault_) tree_->nodes[whole.node].negated = negated;
  return whole;
}

SelectorParser::Part SelectorParser::sum() {
  return arithmetic(&SelectorParser::product,
                    {{"+", SelectorOp::add}, {"-", SelectorOp::subtract}});
}

SelectorParser::Part SelectorParser::product() {
  return arithmetic(&SelectorParser::sign,
                    {{"*", SelectorOp::multiply}, {"/", SelectorOp::divide}});
}

SelectorParser::Part SelectorParser::arithmetic(
    Rule rule, std::initializer_list<std::pair<std::string_view, SelectorOp>> signs) {
  Part left = (this->*rule)();
  while (!fault_) {
    const auto* const found =
        std::ranges::find_if(signs, [&](const auto& each) { return take(each.first); });
    if (found == signs.end()) break;
    const Part right = (this->*rule)();
    require_number(left);
    require_number(right);
    left = make(found->second, Type::number, left.at, {left, right});
  }
  return left;
}

SelectorParser::Part SelectorParser::sign() {
  const std::size_t at = word_.at;
  const bool minus = word_.is("-");
  if (!take("-") && !take("+")) return primary();
  if (!deeper()) return too_deep(at);
  const Part value = sign();
  --depth_;
  require_number(value);
  if (fault_ || !minus) return value;
  SelectorNode& node = tree_->nodes[value.node];
  if (node.op == SelectorOp::integer) {
    node.number = -node.number;  // a literal is never the least number
    return value;
  }
  if (node.op == SelectorOp::real) {
    node.number = std::bit_cast<std::int64_t>(-std::bit_cast<double>(node.number));
    return value;
  }
  return make(SelectorOp::minus, Type::number, at, {value});
}

SelectorParser::Part SelectorParser::primary() {
  const std::size_t at = word_.at;
  if (take("(")) {
    if (!deeper()) return too_deep(at);
    const Part inner = any_of();
    --depth_;
    expect(")", ")");
    return inner;
  }
  if (word_.token == SelectorToken::name || word_.token == SelectorToken::quoted_name)
    return header();
  if (word_.is("TRUE") || word_.is("FALSE")) return boolean(word_.is("TRUE"));
  if (word_.token == SelectorToken::number) return number();
  if (word_.token == SelectorToken::string) return string();
  return expected("a value");
}

/// What a list of IN may hold.
SelectorParser::Part SelectorParser::literal() {
  if (word_.token == SelectorToken::string) return string();
  if (word_.token == SelectorToken::number || word_.is("-") || word_.is("+")) {
    const Part value = sign();
    if (fault_) return value;
    const SelectorOp op = tree_->nodes[value.node].op;
    if (op == SelectorOp::integer || op == SelectorOp::real) return value;
    return fault(value.at, "expected a literal in the list");
  }
  return expected("a text or a number");
}

// ---- leaves
// --------------------------------------------------------------------------------------------------

SelectorParser::Part SelectorParser::leaf(SelectorNode node, Type type) {
  const std::size_t at = word_.at;
  tree_->nodes.push_back(node);
  advance();
  return {static_cast<std::uint32_t>(tree_->nodes.size() - 1), type, at, 1};
}

SelectorParser::Part SelectorParser::boolean(bool value) {
  return leaf({.op = SelectorOp::boolean, .number = value ? 1 : 0}, Type::condition);
}

SelectorParser::Part SelectorParser::number() {
  std::string_view digits = word_.text;
  const char suffix = digits.back();
  bool real = digits.find_first_of(".eE") != std::string_view::npos;
  if (suffix > '9') {
    digits.remove_suffix(1);
    if (suffix == 'L' || suffix == 'l') {
      if (real) return fault(word_.at, "a number with a fraction or exponent takes no L");
    } else {
      real = true;
    }
  }
  const char* const end = digits.data() + digits.size();
  std::int64_t whole = 0;
  if (!real && std::from_chars(digits.data(), end, whole).ec == std::errc{})
    return leaf({.op = SelectorOp::integer, .number = whole}, Type::number);
  double value = 0;
  if (std::from_chars(digits.data(), end, value).ec != std::errc{})
    return fault(word_.at, "a number too large or too small");
  return leaf({.op = SelectorOp::real, .number = std::bit_cast<std::int64_t>(value)}, Type::number);
}

SelectorParser::Part SelectorParser::string() {
  const auto [at, size] = keep(word_.text, '\'');
  return leaf({.op = SelectorOp::text, .at = at, .size = size}, Type::text);
}

SelectorParser::Part SelectorParser::header() {
  std::string_view name = word_.text;
  SelectorNode node{.op = SelectorOp::header};
  if (word_.token == SelectorToken::quoted_name) {
    std::tie(node.at, node.size) = keep(name, '"');
    return leaf(node, Type::header);
  }
  const auto* const jms =
      std::ranges::find(jms_names, name, &decltype(jms_names)::value_type::first);
  if (jms != jms_names.end()) {
    node.number = jms->first == "JMSDeliveryMode" ? 1 : 0;
    node.at = static_cast<std::uint32_t>(tree_->text.size());
    node.size = static_cast<std::uint32_t>(jms->second.size());
    tree_->text += jms->second;
    return leaf(node, Type::header);
  }
  node.at = static_cast<std::uint32_t>(word_.at);
  node.size = static_cast<std::uint32_t>(name.size());
  return leaf(node, Type::header);
}

/// Where in the tree's text a quoted word is without its quotes: in the source itself when nothing
/// in it was doubled.
std::pair<std::uint32_t, std::uint32_t> SelectorParser::keep(std::string_view text, char quote) {
  const std::string_view inside = text.substr(1, text.size() - 2);
  if (inside.find(quote) == std::string_view::npos)
    return {static_cast<std::uint32_t>(word_.at + 1), static_cast<std::uint32_t>(inside.size())};
  const auto at = static_cast<std::uint32_t>(tree_->text.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    tree_->text += inside[i];
    if (inside[i] == quote) ++i;
  }
  return {at, static_cast<std::uint32_t>(tree_->text.size() - at)};
}

std::uint32_t SelectorParser::like_pattern(std::string_view pattern, std::optional<char> escape,
                                           std::size_t at) {
  LikePattern like;
  like.first_part = static_cast<std::uint32_t>(tree_->parts.size());
  std::vector<std::uint16_t> elements;  // of the part being read
  const auto finish = [&] {
    if (elements.empty()) return;
    LikePart part;
    part.size = static_cast<std::uint32_t>(elements.size());
    part.plain = std::ranges::find(elements, any_character) == elements.end();
    part.characters = static_cast<std::uint32_t>(std::ranges::count_if(
        elements, [](std::uint16_t each) { return (each & 0x1C0U) != 0x80U; }));
    if (part.plain) {
      part.at = static_cast<std::uint32_t>(tree_->text.size());
      for (const std::uint16_t each : elements) tree_->text += static_cast<char>(each);
    } else {
      if (part.size > wild_part)
        fault(at,
              fmt::format("a part of a pattern with _ in it has at most {} characters", wild_part));
      part.at = static_cast<std::uint32_t>(tree_->elements.size());
      tree_->elements.insert(tree_->elements.end(), elements.begin(), elements.end());
    }
    tree_->parts.push_back(part);
    ++like.parts;
    elements.clear();
  };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    like.open_back = false;
    if (escape && c == *escape) {
      if (++i == pattern.size() ||
          (pattern[i] != '%' && pattern[i] != '_' && pattern[i] != *escape)) {
        fault(at, "in a pattern the escape character stands before %, _ or itself");
        return 0;
      }
      elements.push_back(static_cast<unsigned char>(pattern[i]));
    } else if (c == '%') {
      if (i == 0) like.open_front = true;
      finish();
      like.open_back = true;
    } else {
      elements.push_back(c == '_' ? any_character
                                  : static_cast<std::uint16_t>(static_cast<unsigned char>(c)));
    }
  }
  finish();
  tree_->likes.push_back(like);
  return static_cast<std::uint32_t>(tree_->likes.size() - 1);
}

// ---- help
// ----------------------------------------------------------------------------------------------------

SelectorParser::Part SelectorParser::make(SelectorOp op, Type type, std::size_t at,
                                          std::initializer_list<Part> children) {
  if (fault_) return {};
  SelectorNode node{.op = op};
  std::uint32_t height = 0;
  std::uint32_t* link = &node.first;
  for (const Part& child : children) {
    *link = child.node;
    link = &tree_->nodes[child.node].next;
    height = std::max(height, child.height);
  }
  if (height + 1 > limits_.depth + 1) return too_deep(at);
  tree_->nodes.push_back(node);
  return {static_cast<std::uint32_t>(tree_->nodes.size() - 1), type, at, height + 1};
}

bool SelectorParser::deeper() { return ++depth_ <= limits_.depth; }

SelectorParser::Part SelectorParser::too_deep(std::size_t at) {
  return fault(at, fmt::format("nested deeper than {}", limits_.depth), ErrorKind::overloaded);
}

void SelectorParser::require(const Part& part, bool allowed, std::string_view what) {
  if (!fault_ && !allowed) fault(part.at, fmt::format("expected {}", what));
}

void SelectorParser::require_condition(const Part& part) {
  require(part, part.type == Type::condition || part.type == Type::header,
          "a condition, such as a comparison");
}

void SelectorParser::require_number(const Part& part) {
  require(part, part.type == Type::number || part.type == Type::header, "a number or a header");
}

void SelectorParser::require_alike(const Part& left, const Part& right) {
  const bool known = left.type != Type::header && right.type != Type::header;
  if (fault_ || !known || left.type == right.type) return;
  constexpr std::array<std::string_view, 3> names{"TRUE or FALSE", "a number", "a text"};
  fault(right.at, fmt::format("expected {}, as on the other side",
                              names.at(static_cast<std::size_t>(left.type))));
}

bool SelectorParser::take(std::string_view word) {
  if (fault_ || !word_.is(word)) return false;
  advance();
  return true;
}

void SelectorParser::expect(std::string_view word, std::string_view what) {
  if (!take(word)) expected(what);
}

SelectorParser::Part SelectorParser::expected(std::string_view what) {
  if (word_.token == SelectorToken::bad) return fault(word_.at, std::string(word_.word));
  if (word_.token == SelectorToken::end)
    return fault(word_.at, fmt::format("expected {}, found the end", what));
  const bool whole = word_.text.size() <= quoted_in_error;
  return fault(word_.at, fmt::format("expected {}, found {}{}", what,
                                     word_.text.substr(0, quoted_in_error), whole ? "" : "..."));
}

SelectorParser::Part SelectorParser::fault(std::size_t at, std::string what, ErrorKind kind) {
  if (!fault_)
    fault_ = Error{kind, 0, "selector", fmt::format("position {}: {}", at + 1, std::move(what))};
  return {};
}

}  // namespace hawser::bus::detail
