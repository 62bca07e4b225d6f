// The words of a topic's name, which "." and "/" part. Internal to the bus; pure.
#pragma once

#include <optional>
#include <string_view>

namespace hawser::bus::detail {

/// One pass over the words; "" for none between two separators, and one for the empty name.
class Words {
 public:
  explicit Words(std::string_view name) noexcept : rest_(name) {}
  std::optional<std::string_view> next() noexcept {
    if (done_) return std::nullopt;
    const auto end = rest_.find_first_of("./");
    if (end == std::string_view::npos) {
      done_ = true;
      return rest_;
    }
    const auto word = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return word;
  }
  bool done() const noexcept { return done_; }

 private:
  std::string_view rest_;
  bool done_ = false;
};

inline bool is_rest(std::string_view word) noexcept { return word == "#" || word == ">"; }

/// Whether a pattern (or plain name) fits a name.
inline bool matches(std::string_view pattern, std::string_view name) noexcept {
  Words wanted(pattern);
  Words words(name);
  for (;;) {
    const auto want = wanted.next();
    if (want && wanted.done() && is_rest(*want)) return true;
    const auto word = words.next();
    if (!want || !word) return !want && !word;
    if (*want != "*" && *want != *word) return false;
  }
}

}  // namespace hawser::bus::detail
