// LIKE: the parts between % are looked for one after another, each as early as it can be.
#include <hawser/bus/detail/selector_tree.hpp>

#include <cstddef>
#include <cstring>
#include <optional>

namespace hawser::bus::detail {
namespace {

bool continues(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

/// Where the character that begins at `at` ends. UTF-8; anything else goes byte by byte.
std::size_t after_character(std::string_view value, std::size_t at) noexcept {
  const std::size_t last = at + 4;
  ++at;
  while (at < value.size() && at < last && continues(value[at])) ++at;
  return at;
}

std::size_t before_character(std::string_view value, std::size_t at) noexcept {
  const std::size_t first = at < 4 ? 0 : at - 4;
  --at;
  while (at > first && continues(value[at])) --at;
  return at;
}

class Matcher {
 public:
  Matcher(const SelectorTree& tree, std::string_view value) noexcept : tree_(tree), value_(value) {}

  /// The end of a match that begins exactly at `at`.
  std::optional<std::size_t> match_at(const LikePart& part, std::size_t at) const noexcept {
    if (part.plain) {
      const std::string_view wanted = bytes_of(part);
      if (value_.substr(at, wanted.size()) != wanted) return std::nullopt;
      return at + wanted.size();
    }
    for (std::uint32_t i = part.at; i < part.at + part.size; ++i) {
      if (at >= value_.size()) return std::nullopt;
      if (tree_.elements[i] == any_character) {
        at = after_character(value_, at);
      } else if (static_cast<unsigned char>(value_[at++]) != tree_.elements[i]) {
        return std::nullopt;
      }
    }
    return at;
  }

  /// The end of the first match that begins at `from` or later.
  std::optional<std::size_t> find(const LikePart& part, std::size_t from) const noexcept {
    if (part.plain) {
      const std::string_view wanted = bytes_of(part);
      // memmem takes linear time whatever the texts are; string_view::find does not.
      const void* const found =
          memmem(value_.data() + from, value_.size() - from, wanted.data(), wanted.size());
      if (found == nullptr) return std::nullopt;
      return static_cast<std::size_t>(static_cast<const char*>(found) - value_.data()) +
             wanted.size();
    }
    for (std::size_t at = from; at < value_.size(); at = after_character(value_, at))
      if (const auto end = match_at(part, at)) return end;
    return std::nullopt;
  }

  /// Does the value, from `from` or later, end with the part?
  bool ends_with(const LikePart& part, std::size_t from) const noexcept {
    std::size_t at = value_.size();
    if (part.plain) {
      if (at < part.size) return false;
      at -= part.size;
    } else {
      for (std::uint32_t i = 0; i < part.characters; ++i) {
        if (at == 0) return false;
        at = before_character(value_, at);
      }
    }
    return at >= from && match_at(part, at) == value_.size();
  }

 private:
  std::string_view bytes_of(const LikePart& part) const noexcept {
    return std::string_view(tree_.text).substr(part.at, part.size);
  }
  const SelectorTree& tree_;
  std::string_view value_;
};

}  // namespace

bool like_matches(const SelectorTree& tree, const LikePattern& pattern,
                  std::string_view value) noexcept {
  const Matcher matcher(tree, value);
  std::uint32_t part = pattern.first_part;
  std::uint32_t end = pattern.first_part + pattern.parts;
  if (part == end) return pattern.open_front || value.empty();
  std::size_t at = 0;
  if (!pattern.open_front) {
    const auto matched = matcher.match_at(tree.parts[part++], 0);
    if (!matched) return false;
    at = *matched;
    if (part == end) return pattern.open_back || at == value.size();
  }
  if (!pattern.open_back) --end;
  for (; part < end; ++part) {
    const auto matched = matcher.find(tree.parts[part], at);
    if (!matched) return false;
    at = *matched;
  }
  return pattern.open_back || matcher.ends_with(tree.parts[end], at);
}

}  // namespace hawser::bus::detail
