// A compiled selector: nodes in one array, their texts in one string, LIKE patterns cut at their %.
// Internal; immutable once compiled, so any thread may evaluate it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::bus::detail {

enum class SelectorOp : std::uint8_t {
  boolean,  // literals: `number`
  integer,
  real,    // `number` has the bits of the double
  text,    // a string literal
  header,  // an identifier: what the message has under that name
  all_of,  // children: conditions
  any_of,
  negation,  // one child
  equal,     // two children
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  add,
  subtract,
  multiply,
  divide,
  minus,    // one child
  between,  // three children: value, low, high
  in,       // value, then literals
  like,     // one child; `number` is the index into SelectorTree::likes
  is_null,  // one child, a header
};

inline constexpr std::uint32_t no_node = std::numeric_limits<std::uint32_t>::max();

struct SelectorNode {
  SelectorOp op = SelectorOp::boolean;
  bool negated = false;  // NOT BETWEEN, NOT IN, NOT LIKE, IS NOT NULL
  std::uint32_t first = no_node;
  std::uint32_t next = no_node;
  std::uint32_t at = 0;  // into SelectorTree::text
  std::uint32_t size = 0;
  std::int64_t number = 0;
};

/// What stands between two % of a pattern. Without `_` it is found by a search in linear time.
struct LikePart {
  bool plain = true;
  std::uint32_t at = 0;    // plain: into SelectorTree::text, else into SelectorTree::elements
  std::uint32_t size = 0;  // bytes or elements
  std::uint32_t characters = 0;
};

struct LikePattern {
  std::uint32_t first_part = 0;
  std::uint32_t parts = 0;
  bool open_front = false;  // begins with %
  bool open_back = false;
};

inline constexpr std::uint16_t any_character = 256;  // an element: `_`; below it, a byte

struct SelectorTree {
  std::string text;  // the source, then what of it had to be unescaped
  std::uint32_t source_size = 0;
  std::vector<SelectorNode> nodes;
  std::vector<LikePattern> likes;
  std::vector<LikePart> parts;
  std::vector<std::uint16_t> elements;
  std::uint32_t root = no_node;

  std::string_view text_of(const SelectorNode& node) const noexcept {
    return std::string_view(text).substr(node.at, node.size);
  }
};

/// Does the text match? Never allocates. Time is linear in `value`, times at most 64 where a part
/// has `_`.
bool like_matches(const SelectorTree& tree, const LikePattern& pattern,
                  std::string_view value) noexcept;

}  // namespace hawser::bus::detail
