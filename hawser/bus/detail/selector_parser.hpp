// From a selector's text to its tree, or to an error that names the place. Internal.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/detail/selector_lexer.hpp>
#include <hawser/bus/detail/selector_tree.hpp>
#include <hawser/bus/selector.hpp>

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hawser::bus::detail {

class SelectorParser {
 public:
  SelectorParser(std::string_view text, const SelectorLimits& limits);
  Result<std::unique_ptr<const SelectorTree>> parse();

 private:
  enum class Type : std::uint8_t { condition, number, text, header };
  /// What a rule has read. After a fault it is not looked at any more: fault_ is set.
  struct Part {
    std::uint32_t node = no_node;
    Type type = Type::header;
    std::size_t at = 0;        // where it begins, for faults
    std::uint32_t height = 1;  // of its tree
  };
  using Rule = Part (SelectorParser::*)();

  // The rules, the loosest first.
  Part any_of();
  Part all_of();
  Part negation();
  Part comparison();
  Part between(Part value, bool negated);
  Part in(Part value, bool negated);
  Part like(Part value, bool negated);
  Part is_null(Part value);
  Part sum();
  Part product();
  Part sign();
  Part primary();

  Part chain(Rule rule, std::string_view word, SelectorOp op);
  Part arithmetic(Rule rule, std::initializer_list<std::pair<std::string_view, SelectorOp>> signs);
  Part boolean(bool value);
  Part number();
  Part string();
  Part header();
  Part literal();
  std::uint32_t like_pattern(std::string_view pattern, std::optional<char> escape, std::size_t at);

  Part make(SelectorOp op, Type type, std::size_t at, std::initializer_list<Part> children);
  Part leaf(SelectorNode node, Type type);
  void require(const Part& part, bool allowed, std::string_view expected);
  void require_condition(const Part& part);
  void require_number(const Part& part);
  void require_alike(const Part& left, const Part& right);
  bool take(std::string_view word);
  void expect(std::string_view word, std::string_view expected);
  void advance() noexcept { word_ = lexer_.next(); }
  bool deeper();
  std::pair<std::uint32_t, std::uint32_t> keep(std::string_view text, char quote);
  Part fault(std::size_t at, std::string what, ErrorKind kind = ErrorKind::invalid_argument);
  Part expected(std::string_view what);
  Part too_deep(std::size_t at);

  SelectorLimits limits_;
  std::unique_ptr<SelectorTree> tree_;
  SelectorLexer lexer_;
  SelectorWord word_;
  std::uint32_t depth_ = 0;
  std::optional<Error> fault_;
};

}  // namespace hawser::bus::detail
