// Selectors of any text over messages of any headers: every one is compiled or refused with a
// place inside the text, and a message is never wanted by a selector and by its opposite.
#include <hawser/base/check.hpp>
#include <hawser/bus/selector.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace hawser;

/// Headers a, b and c: the three lines after the selector's.
class Headers final : public bus::HeaderLookup {
 public:
  explicit Headers(std::string_view lines) {
    for (auto& value : values_) {
      const std::size_t end = lines.find('\n');
      if (lines.empty()) return;
      value = lines.substr(0, end);
      lines = end == std::string_view::npos ? std::string_view{} : lines.substr(end + 1);
    }
  }
  std::optional<std::string_view> find(std::string_view name) const noexcept override {
    if (name.size() != 1 || name[0] < 'a' || name[0] > 'c') return std::nullopt;
    return values_.at(static_cast<std::size_t>(name[0] - 'a'));
  }

 private:
  std::array<std::optional<std::string_view>, 3> values_;
};

void check_fault(const Error& error, std::string_view text) {
  check(!error.detail.empty(), "no fault");
  constexpr std::string_view begin = "position ";
  if (!error.detail.starts_with(begin)) return;
  std::size_t position = 0;
  const char* const digits = error.detail.data() + begin.size();
  std::from_chars(digits, error.detail.data() + error.detail.size(), position);
  check(position >= 1 && position <= text.size() + 1, "no place of the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  // Its own allocation, so that a read past its end is seen.
  const std::string text(input.substr(0, end));
  const Headers headers(input.substr(std::min(end + 1, input.size())));
  const auto selector = bus::Selector::compile(text);
  if (!selector) {
    check_fault(selector.error(), text);
    return 0;
  }
  check((*selector)->text() == text, "another text");
  const bool accepted = (*selector)->accepts(headers);
  check((*selector)->accepts(headers) == accepted, "another answer");
  if (text.find(':') != std::string::npos) return 0;  // a prefix stands first or nowhere
  const auto opposite = bus::Selector::compile("NOT (" + text + ")", {.length = 5000, .depth = 40});
  check(opposite.has_value(), "not even its opposite");
  check(!accepted || !(*opposite)->accepts(headers), "wanted and not wanted");
  return 0;
}
