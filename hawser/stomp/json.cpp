// A recursive reader with a bound on its recursion.
#include <hawser/stomp/json.hpp>

#include <hawser/base/utf8.hpp>

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace hawser::stomp {
namespace {

class Reader {
 public:
  Reader(BytesView text, std::size_t depth) noexcept : text_(text), depth_(depth) {}

  Result<Json> read() {
    auto value = read_value();
    blanks();
    if (value && at_ != text_.size()) fail("something follows the value");
    if (!value || !what_.empty())
      return std::unexpected(
          Error{ErrorKind::protocol_error, 0, "JSON", fmt::format("{} at octet {}", what_, at_)});
    return std::move(*value);
  }

 private:
  std::nullopt_t fail(const char* what) {
    if (what_.empty()) what_ = what;
    return std::nullopt;
  }
  void blanks() {
    while (at_ < text_.size() && BytesView(" \t\r\n").find(text_[at_]) != BytesView::npos) ++at_;
  }
  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(BytesView word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::optional<Json> read_value() {
    blanks();
    if (at_ >= text_.size()) return fail("the text ends");
    const char c = text_[at_];
    if (c == '{' || c == '[') {
      if (depth_ == 0) return fail("nested too deeply");
      --depth_;
      ++at_;
      auto value = c == '{' ? read_object() : read_array();
      ++depth_;
      return value;
    }
    if (c == '"') {
      auto text = read_text();
      if (!text) return std::nullopt;
      return Json(std::move(*text));
    }
    if (take_word("true")) return Json(true);
    if (take_word("false")) return Json(false);
    if (take_word("null")) return Json();
    return read_number();
  }

  std::optional<Json> read_array() {
    Json::Array array;
    if (take(']')) return Json(std::move(array));
    for (;;) {
      auto value = read_value();
      if (!value) return std::nullopt;
      array.push_back(std::move(*value));
      if (take(']')) return Json(std::move(array));
      if (!take(',')) return fail("',' or ']' is missing");
    }
  }

  std::optional<Json> read_object() {
    Json::Object object;
    if (take('}')) return Json(std::move(object));
    for (;;) {
      blanks();
      if (at_ >= text_.size() || text_[at_] != '"') return fail("a member's name is missing");
      auto name = read_text();
      if (!name) return std::nullopt;
      if (!take(':')) return fail("':' is missing");
      auto value = read_value();
      if (!value) return std::nullopt;
      object.emplace_back(std::move(*name), std::move(*value));
      if (take('}')) return Json(std::move(object));
      if (!take(',')) return fail("',' or '}' is missing");
    }
  }

  std::optional<Json> read_number() {
    const std::size_t begin = at_;
    const auto digits = [this] {
      const std::size_t first = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ - first;
    };
    bool whole = true;
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    const std::size_t lead = at_;
    const std::size_t count = digits();
    if (count == 0) {
      at_ = begin;
      return fail("no value begins like this");
    }
    if (count > 1 && text_[lead] == '0') return fail("a number begins with 0");
    if (at_ < text_.size() && text_[at_] == '.') {
      whole = false;
      ++at_;
      if (digits() == 0) return fail("a fraction has no digits");
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      whole = false;
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (digits() == 0) return fail("an exponent has no digits");
    }
    const char* const first = text_.data() + begin;
    const char* const last = text_.data() + at_;
    std::int64_t integer = 0;
    if (whole && std::from_chars(first, last, integer).ec == std::errc{}) return Json(integer);
    double real = 0;
    if (std::from_chars(first, last, real).ec != std::errc{}) return fail("a number is too large");
    return Json(real);
  }

  std::optional<std::uint32_t> read_hex() {
    if (text_.size() - at_ < 4) return fail("\\u needs four digits");
    std::uint32_t value = 0;
    const char* const first = text_.data() + at_;
    const auto [stop, failure] = std::from_chars(first, first + 4, value, 16);
    if (failure != std::errc{} || stop != first + 4) return fail("\\u needs four digits");
    at_ += 4;
    return value;
  }

  bool read_code_point(std::string& out) {
    auto point = read_hex();
    if (!point) return false;
    if (*point >= 0xd800 && *point < 0xdc00) {
      if (!take_word("\\u")) return fail("half a surrogate pair"), false;
      const auto low = read_hex();
      if (!low) return false;
      if (*low < 0xdc00 || *low > 0xdfff) return fail("half a surrogate pair"), false;
      *point = 0x10000 + ((*point - 0xd800) << 10U) + (*low - 0xdc00);
    } else if (*point >= 0xdc00 && *point < 0xe000) {
      return fail("half a surrogate pair"), false;
    }
    append_utf8(out, *point);
    return true;
  }

  std::optional<std::string> read_text() {
    std::string out;
    const std::size_t begin = ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') {
        if (!is_utf8(text_.substr(begin, at_ - begin))) return fail("text is not UTF-8");
        return out;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a text");
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ >= text_.size()) break;
      const char escaped = text_[at_++];
      constexpr BytesView names = "\"\\/bfnrt";
      constexpr BytesView meant = "\"\\/\b\f\n\r\t";
      if (const auto which = names.find(escaped); which != BytesView::npos) {
        out += meant[which];
      } else if (escaped != 'u') {
        return fail("an escape that JSON does not have");
      } else if (!read_code_point(out)) {
        return std::nullopt;
      }
    }
    return fail("a text does not end");
  }

  BytesView text_;
  std::size_t depth_;
  std::size_t at_ = 0;
  std::string what_;
};

}  // namespace

const Json* Json::find(std::string_view name) const noexcept {
  if (const Object* const members = object())
    for (const Member& member : *members)
      if (member.first == name) return &member.second;
  return nullptr;
}

Result<Json> parse_json(BytesView text, std::size_t depth) { return Reader(text, depth).read(); }

}  // namespace hawser::stomp
