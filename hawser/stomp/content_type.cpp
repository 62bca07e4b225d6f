// The little of MIME that STOMP needs: one parameter of one header.
#include <hawser/stomp/content_type.hpp>

#include <algorithm>

namespace hawser::stomp {

namespace {
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(BytesView left, BytesView right) noexcept {
  return std::ranges::equal(left, right, {}, lower, lower);
}

/// Cuts the text up to the next ';' outside quotes off the front of `rest`.
BytesView next_part(BytesView& rest) noexcept {
  bool in_quotes = false;
  std::size_t end = 0;
  for (; end < rest.size(); ++end) {
    if (rest[end] == '"') in_quotes = !in_quotes;
    if (rest[end] == ';' && !in_quotes) break;
  }
  const BytesView part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trimmed(part);
}

bool is_text(BytesView media) noexcept { return same_word(media.substr(0, 5), "text/"); }
}  // namespace

std::optional<BytesView> charset_of(BytesView type) noexcept {
  BytesView rest = type;
  const BytesView media = next_part(rest);
  while (!rest.empty()) {
    const BytesView parameter = next_part(rest);
    const std::size_t equals = parameter.find('=');
    if (equals == BytesView::npos || !same_word(trimmed(parameter.substr(0, equals)), "charset")) {
      continue;
    }
    BytesView value = trimmed(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (!value.empty()) return value;
  }
  if (is_text(media)) return "utf-8";
  return std::nullopt;
}

Bytes with_charset(BytesView type, BytesView charset) {
  Bytes result(type);
  if (is_text(trimmed(type)) && same_word(charset, "utf-8")) return result;
  result += ";charset=";
  result += charset;
  return result;
}

bool is_utf8_text(BytesView type) noexcept {
  const auto charset = charset_of(type);
  return charset && (same_word(*charset, "utf-8") || same_word(*charset, "utf8") ||
                     same_word(*charset, "us-ascii"));
}

}  // namespace hawser::stomp
