// The words of a selector, and the faults that a single word can have.
#include <hawser/bus/detail/selector_lexer.hpp>

#include <algorithm>
#include <array>

namespace hawser::bus::detail {
namespace {

bool digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool begins_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool in_name(char c) noexcept { return begins_name(c) || digit(c) || c == '.'; }
char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string_view keyword(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 11> keywords{
      "AND", "OR", "NOT", "BETWEEN", "IN", "LIKE", "ESCAPE", "IS", "NULL", "TRUE", "FALSE"};
  for (const std::string_view each : keywords)
    if (std::ranges::equal(name, each, {}, upper)) return each;
  return {};
}

}  // namespace

SelectorWord SelectorLexer::make(SelectorToken token, std::size_t begin,
                                 std::string_view word) noexcept {
  return {token, begin, text_.substr(begin, at_ - begin), word};
}

SelectorWord SelectorLexer::next() noexcept {
  while (at_ < text_.size() && (text_[at_] == ' ' || (text_[at_] >= '\t' && text_[at_] <= '\r')))
    ++at_;
  const std::size_t begin = at_;
  if (at_ == text_.size()) return make(SelectorToken::end, begin, {});
  const char first = text_[at_];
  if (first == '\'' || first == '"') return quoted(first);
  if (digit(first) || (first == '.' && digit(peek(1)))) return number();
  if (begins_name(first)) return name();
  static constexpr std::array<std::string_view, 13> symbols{
      "<>", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "(", ")", ","};  // the longest first
  for (const std::string_view symbol : symbols) {
    if (!text_.substr(at_).starts_with(symbol)) continue;
    at_ += symbol.size();
    return make(SelectorToken::symbol, begin, symbol);
  }
  ++at_;
  if (first == '!') return make(SelectorToken::bad, begin, "not equal is written <>");
  return make(SelectorToken::bad, begin, "this character has no meaning here");
}

SelectorWord SelectorLexer::quoted(char quote) noexcept {
  const std::size_t begin = at_++;
  while (at_ < text_.size()) {
    if (text_[at_++] != quote) continue;
    if (peek() == quote) {
      ++at_;
      continue;
    }
    if (quote == '\'') return make(SelectorToken::string, begin, {});
    if (at_ - begin == 2) return make(SelectorToken::bad, begin, "a name between the quotes");
    return make(SelectorToken::quoted_name, begin, {});
  }
  return make(SelectorToken::bad, begin, "the closing quote is missing");
}

SelectorWord SelectorLexer::number() noexcept {
  const std::size_t begin = at_;
  while (digit(peek())) ++at_;
  if (peek() == '.') {
    ++at_;
    while (digit(peek())) ++at_;
  }
  if (upper(peek()) == 'E') {
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (digit(peek(1 + sign))) {
      at_ += 1 + sign;
      while (digit(peek())) ++at_;
    }
  }
  // Java's suffixes: 57L, 7.5f, 7d.
  const char suffix = upper(peek());
  if ((suffix == 'L' || suffix == 'F' || suffix == 'D') && !in_name(peek(1))) ++at_;
  if (!in_name(peek())) return make(SelectorToken::number, begin, {});
  while (in_name(peek())) ++at_;
  return make(SelectorToken::bad, begin, "neither a number nor a name");
}

SelectorWord SelectorLexer::name() noexcept {
  const std::size_t begin = at_;
  while (in_name(peek()) || (hyphens_ && peek() == '-' && in_name(peek(1)))) ++at_;
  const std::string_view word = keyword(text_.substr(begin, at_ - begin));
  return make(word.empty() ? SelectorToken::name : SelectorToken::keyword, begin, word);
}

}  // namespace hawser::bus::detail
