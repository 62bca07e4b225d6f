// One pass over the text, by hand: no parser in Debian tells where in the text a value stands, and
// a host that built and wrote every value anew would spend most of its time on that.
#include <hawser/noam/json.hpp>

#include <hawser/base/utf8.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace hawser::noam {

namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Four hexadecimal digits, or -1.
int hex_quad(const char* at, const char* end) noexcept {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

struct CodePoint {
  std::uint32_t value = 0;
  unsigned size = 0;  // 0: not UTF-8
};

/// The code point that begins at `at` with a byte above 0x7f (RFC 3629: shortest form, no
/// surrogates, at most U+10FFFF).
CodePoint read_utf8(const char* at, const char* end) noexcept {
  const auto byte = [&](std::ptrdiff_t i) { return static_cast<unsigned char>(at[i]); };
  const unsigned char lead = byte(0);
  const unsigned size = lead >= 0xf0 ? 4U : lead >= 0xe0 ? 3U : 2U;
  if (lead < 0xc2 || lead > 0xf4 || end - at < static_cast<std::ptrdiff_t>(size)) return {};
  std::uint32_t value = lead & (0x7fU >> size);
  for (unsigned i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {};
    value = value << 6U | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
  return {value, size};
}

void append_escape(std::string& out, std::uint32_t value) {
  const auto quad = [&](std::uint32_t unit) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) out += digits[unit >> shift & 0xfU];
  };
  if (value < 0x10000) {
    quad(value);
  } else {
    quad(0xd800U + ((value - 0x10000U) >> 10U));
    quad(0xdc00U + ((value - 0x10000U) & 0x3ffU));
  }
}

class Scanner {
 public:
  explicit Scanner(BytesView text) noexcept
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  const char* at() const noexcept { return at_; }
  bool over() const noexcept { return at_ == end_; }
  void skip_blanks() noexcept {
    while (at_ != end_ && is_blank(*at_)) ++at_;
  }
  /// Takes `c` and the blanks behind it when it is next.
  bool take(char c) noexcept {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    skip_blanks();
    return true;
  }
  /// One value from here; nothing when there is none: fault() says why.
  std::optional<BytesView> value(unsigned depth = 0) {
    const char* const from = at_;
    if (!skip_value(depth)) return std::nullopt;
    return BytesView(from, static_cast<std::size_t>(at_ - from));
  }
  bool fail(const char* what) noexcept {
    if (fault_ == nullptr) fault_ = what;
    return false;
  }
  Error fault() const {
    return {ErrorKind::protocol_error, 0, "json",
            fmt::format("{} at byte {}", fault_ == nullptr ? "something is wrong" : fault_,
                        at_ - begin_)};
  }

 private:
  bool skip_value(unsigned depth) {
    if (at_ == end_) return fail("a value is missing");
    switch (*at_) {
      case '"':
        return skip_string();
      case '[':
        return skip_array(depth);
      case '{':
        return skip_object(depth);
      case 't':
        return skip_word("true");
      case 'f':
        return skip_word("false");
      case 'n':
        return skip_word("null");
      default:
        return skip_number();
    }
  }

  bool skip_word(std::string_view word) noexcept {
    if (!BytesView(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word))
      return fail("this is no JSON value");
    at_ += word.size();
    return true;
  }

  bool skip_string() noexcept {
    ++at_;
    while (at_ != end_) {
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return fail("a control character stands in a string");
      if (c == '\\') {
        if (!skip_escape()) return false;
      } else if (c < 0x80) {
        ++at_;
      } else {
        const CodePoint point = read_utf8(at_, end_);
        if (point.size == 0) return fail("this is not UTF-8");
        at_ += point.size;
      }
    }
    return fail("a string has no end");
  }

  bool skip_escape() noexcept {
    if (end_ - at_ < 2) return fail("a string has no end");
    if (at_[1] == 'u') {
      if (hex_quad(at_ + 2, end_) < 0) return fail("\\u wants four hexadecimal digits");
      at_ += 6;
      return true;
    }
    if (std::string_view("\"\\/bfnrt").find(at_[1]) == std::string_view::npos)
      return fail("an unknown escape");
    at_ += 2;
    return true;
  }

  bool skip_digits() noexcept {
    if (at_ == end_ || !is_digit(*at_)) return fail("a digit is missing");
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return true;
  }

  bool skip_number() noexcept {
    if (*at_ == '-') ++at_;
    if (at_ == end_ || !is_digit(*at_)) return fail("this is no JSON value");
    if (*at_ == '0') {
      ++at_;
      if (at_ != end_ && is_digit(*at_)) return fail("a number begins with 0");
    } else if (!skip_digits()) {
      return false;
    }
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (!skip_digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!skip_digits()) return false;
    }
    return true;
  }

  bool skip_array(unsigned depth) {
    if (depth >= json_depth) return fail("arrays and objects are nested too deep");
    ++at_;
    skip_blanks();
    if (at_ != end_ && *at_ == ']') {
      ++at_;
      return true;
    }
    for (;;) {
      if (!skip_value(depth + 1)) return false;
      skip_blanks();
      if (at_ != end_ && *at_ == ']') {
        ++at_;
        return true;
      }
      if (!take(',')) return fail("a comma or ] is missing");
    }
  }

  bool skip_object(unsigned depth) {
    if (depth >= json_depth) return fail("arrays and objects are nested too deep");
    ++at_;
    skip_blanks();
    if (at_ != end_ && *at_ == '}') {
      ++at_;
      return true;
    }
    for (;;) {
      if (at_ == end_ || *at_ != '"') return fail("a member's name is missing");
      if (!skip_string()) return false;
      skip_blanks();
      if (!take(':')) return fail("a colon is missing");
      if (!skip_value(depth + 1)) return false;
      skip_blanks();
      if (at_ != end_ && *at_ == '}') {
        ++at_;
        return true;
      }
      if (!take(',')) return fail("a comma or } is missing");
    }
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* fault_ = nullptr;
};

/// The inside of a checked string, decoded.
std::string decode_string(BytesView inside) {
  std::string out;
  out.reserve(inside.size());
  const char* at = inside.data();
  const char* const end = at + inside.size();
  while (at != end) {
    if (*at != '\\') {
      out += *at++;
      continue;
    }
    const char kind = at[1];
    at += 2;
    if (kind != 'u') {
      constexpr std::string_view names = "\"\\/bfnrt";
      constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
      out += meanings[names.find(kind)];
      continue;
    }
    auto value = static_cast<std::uint32_t>(hex_quad(at, end));
    at += 4;
    if (value >= 0xd800 && value <= 0xdbff && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
      const auto low = static_cast<std::uint32_t>(hex_quad(at + 2, end));
      if (low >= 0xdc00 && low <= 0xdfff) {
        value = 0x10000U + ((value - 0xd800U) << 10U) + (low - 0xdc00U);
        at += 6;
      }
    }
    append_utf8(out, value >= 0xd800 && value <= 0xdfff ? 0xfffdU : value);
  }
  return out;
}

}  // namespace

Result<void> check_json(BytesView text, unsigned within) {
  Scanner scanner(text);
  scanner.skip_blanks();
  if (!scanner.value(within)) return std::unexpected(scanner.fault());
  scanner.skip_blanks();
  if (!scanner.over()) {
    scanner.fail("something follows the value");
    return std::unexpected(scanner.fault());
  }
  return {};
}

Result<std::size_t> json_elements(BytesView text, std::span<BytesView> elements) {
  Scanner scanner(text);
  std::size_t count = 0;
  const auto read = [&] {
    scanner.skip_blanks();
    if (!scanner.take('[')) return scanner.fail("this is no array");
    if (!scanner.take(']')) {
      for (;;) {
        const auto element = scanner.value(1);
        if (!element) return false;
        if (count < elements.size()) elements[count] = *element;
        ++count;
        scanner.skip_blanks();
        if (scanner.take(']')) break;
        if (!scanner.take(',')) return scanner.fail("a comma or ] is missing");
      }
    }
    return scanner.over() || scanner.fail("something follows the array");
  };
  if (!read()) return std::unexpected(scanner.fault());
  return count;
}

bool json_each(BytesView array, const std::function<void(BytesView)>& visit) {
  Scanner scanner(array);
  scanner.skip_blanks();
  if (!scanner.take('[')) return false;
  while (!scanner.take(']')) {
    const auto element = scanner.value(1);
    if (!element) return false;
    visit(*element);
    scanner.skip_blanks();
    scanner.take(',');
  }
  return true;
}

bool json_members(BytesView object, const std::function<void(BytesView, BytesView)>& visit) {
  Scanner scanner(object);
  scanner.skip_blanks();
  if (!scanner.take('{')) return false;
  while (!scanner.take('}')) {
    const auto key = scanner.value(1);
    scanner.skip_blanks();
    if (!key || !scanner.take(':')) return false;
    const auto value = scanner.value(1);
    if (!value) return false;
    visit(*key, *value);
    scanner.skip_blanks();
    scanner.take(',');
  }
  return true;
}

std::optional<BytesView> json_member(BytesView object, BytesView name) {
  std::optional<BytesView> found;
  std::string scratch;
  const bool is_object = json_members(object, [&](BytesView key, BytesView value) {
    if (json_string_view(key, scratch) == name) found = value;
  });
  return is_object ? found : std::nullopt;
}

std::optional<BytesView> json_string_view(BytesView value, std::string& scratch) {
  if (value.size() < 2 || value.front() != '"') return std::nullopt;
  const BytesView inside = value.substr(1, value.size() - 2);
  if (inside.find('\\') == BytesView::npos) return inside;
  scratch = decode_string(inside);
  return scratch;
}

std::optional<std::string> json_to_string(BytesView value) {
  std::string scratch;
  const auto text = json_string_view(value, scratch);
  if (!text) return std::nullopt;
  return std::string(*text);
}

std::optional<double> json_to_number(BytesView value) {
  if (value.empty() || (!is_digit(value.front()) && value.front() != '-')) return std::nullopt;
  double number = 0;
  const auto [stop, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failure == std::errc::result_out_of_range) {
    // Too large or too small: from_chars does not say which.
    const auto exponent = value.find_first_of("eE");
    const bool tiny =
        exponent != BytesView::npos && exponent + 1 < value.size() && value[exponent + 1] == '-';
    const double sign = value.front() == '-' ? -1.0 : 1.0;
    return tiny ? 0.0 : sign * std::numeric_limits<double>::infinity();
  }
  if (failure != std::errc{}) return std::nullopt;
  return number;
}

std::optional<bool> json_to_bool(BytesView value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return std::nullopt;
}

void append_json_string(std::string& out, BytesView text, bool ascii) {
  out += '"';
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const auto c = static_cast<unsigned char>(*at);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += *at++;
    } else if (c < 0x20) {
      constexpr std::string_view named = "\b\f\n\r\t";
      const auto place = named.find(*at);
      if (place == std::string_view::npos) {
        append_escape(out, c);
      } else {
        out += '\\';
        out += "bfnrt"[place];
      }
      ++at;
    } else if (c < 0x80) {
      out += *at++;
    } else {
      CodePoint point = read_utf8(at, end);
      if (point.size == 0) point = {0xfffd, 1};
      ascii ? append_escape(out, point.value) : append_utf8(out, point.value);
      at += point.size;
    }
  }
  out += '"';
}

std::string json_string(BytesView text, bool ascii) {
  std::string out;
  out.reserve(text.size() + 2);
  append_json_string(out, text, ascii);
  return out;
}

std::string json_number(double number) {
  if (!std::isfinite(number)) return "null";
  return fmt::format("{}", number);
}

void append_json_ascii(std::string& out, BytesView value) {
  const char* at = value.data();
  const char* const end = at + value.size();
  for (;;) {
    const char* const run_end =
        std::find_if(at, end, [](char octet) { return static_cast<unsigned char>(octet) >= 0x80; });
    out.append(at, run_end);
    at = run_end;
    if (at == end) return;
    const CodePoint point = read_utf8(at, end);
    append_escape(out, point.size == 0 ? 0xfffdU : point.value);
    at += point.size == 0 ? 1 : point.size;
  }
}

}  // namespace hawser::noam
