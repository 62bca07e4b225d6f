// Cuts a selector's text into words. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hawser::bus::detail {

enum class SelectorToken : std::uint8_t {
  end,
  name,         // an identifier
  quoted_name,  // "content-type"
  string,       // 'text', quotes included
  number,
  symbol,   // = <> < <= > >= + - * / ( ) ,
  keyword,  // upper case in `word`
  bad,      // `word` says what is wrong
};

struct SelectorWord {
  SelectorToken token = SelectorToken::end;
  std::size_t at = 0;     // into the text
  std::string_view text;  // as written
  std::string_view word;  // of a keyword or symbol, the one spelling of it; of `bad`, the fault
  bool is(std::string_view wanted) const noexcept {
    return (token == SelectorToken::keyword || token == SelectorToken::symbol) && word == wanted;
  }
};

class SelectorLexer {
 public:
  SelectorLexer(std::string_view text, std::size_t at, bool hyphens) noexcept
      : text_(text), at_(at), hyphens_(hyphens) {}
  SelectorWord next() noexcept;

 private:
  SelectorWord quoted(char quote) noexcept;
  SelectorWord number() noexcept;
  SelectorWord name() noexcept;
  SelectorWord make(SelectorToken token, std::size_t begin, std::string_view word) noexcept;
  char peek(std::size_t ahead = 0) const noexcept {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  std::string_view text_;
  std::size_t at_;
  bool hyphens_;  // a - inside a name belongs to it
};

}  // namespace hawser::bus::detail
