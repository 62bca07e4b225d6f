// Prefixes, and rules against destinations word by word.
#include <hawser/stomp/destination.hpp>

#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <array>
#include <utility>

namespace hawser::stomp {
namespace {

using Kind = DestinationView::Kind;

constexpr std::array<std::pair<BytesView, Kind>, 5> prefixes{{
    {"/queue/", Kind::queue},
    {"/topic/", Kind::topic},
    {"/temp-queue/", Kind::temp_queue},
    {"/reply-queue/", Kind::reply_queue},
    {"/dlq/", Kind::dead_letters},
}};

bool ends_word(char c) noexcept { return c == '.' || c == '/'; }

/// Takes the first word off `text`; `more` tells whether another follows.
BytesView take_word(BytesView& text, bool& more) noexcept {
  std::size_t size = 0;
  while (size < text.size() && !ends_word(text[size])) ++size;
  const BytesView word = text.substr(0, size);
  more = size < text.size();
  text.remove_prefix(more ? size + 1 : size);
  return word;
}

bool is_rest(BytesView word) noexcept { return word == ">" || word == "#"; }

}  // namespace

Result<DestinationView> parse_destination(BytesView text) {
  for (const auto& [prefix, kind] : prefixes)
    if (text.size() > prefix.size() && text.starts_with(prefix))
      return DestinationView{kind, text.substr(prefix.size()), text};
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "destination",
            fmt::format("{} is no destination of this broker; it has /queue/NAME, /topic/NAME, "
                        "/temp-queue/NAME, /reply-queue/NAME and /dlq/NAME",
                        quoted(text))});
}

bool has_wildcards(BytesView name) noexcept {
  bool more = true;
  while (more) {
    const BytesView word = take_word(name, more);
    if (word == "*" || is_rest(word)) return true;
  }
  return false;
}

std::vector<BytesView> split_composite(BytesView text) {
  std::vector<BytesView> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == BytesView::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

bool covers(BytesView rule, BytesView destination) noexcept {
  bool more_rule = true;
  bool more_words = true;
  while (more_rule && more_words) {
    const BytesView allowed = take_word(rule, more_rule);
    const BytesView word = take_word(destination, more_words);
    if (is_rest(allowed) && !more_rule) return true;
    if (is_rest(word)) return false;
    if (allowed != "*" && allowed != word) return false;
  }
  // What is left of the rule may stand for no word at all.
  if (more_rule && !more_words) return is_rest(rule);
  return more_rule == more_words;
}

}  // namespace hawser::stomp
