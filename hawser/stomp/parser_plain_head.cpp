// The head that nearly all frames have, read in one pass: it is there whole, without an escape, and
// within every limit. Anything else is left to read_head, which knows what is wrong with it.
#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/detail/scan.hpp>
#include <hawser/stomp/parser.hpp>

#include <bit>

namespace hawser::stomp {

bool Parser::read_plain_head(const char* begin, const char* end, FrameView& frame) {
  if (!version_ || *version_ == Version::v1_0 || options_->strict_octets || options_->strict_utf8)
    return false;
  const Limits& limits = options_->limits;
  const bool cr_is_dropped = drops_cr();
  const char* line = begin;
  const char* colon = nullptr;
  const char* block = nullptr;  // the first header line
  const char* body = nullptr;
  std::uint32_t count = 0;
  bool counted = false;
  std::uint64_t length = 0;

  const auto take_line = [&](const char* stop) {
    const bool cr = cr_is_dropped && stop != line && stop[-1] == '\r';
    const BytesView text{line, static_cast<std::size_t>(stop - line) - (cr ? 1 : 0)};
    if (block == nullptr) {
      if (text.size() >= limits.command) return false;
      frame.command_name_ = text;
      block = stop + 1;
    } else if (text.empty()) {
      body = stop + 1;
    } else {
      if (colon == nullptr || colon == line || count == FrameView::few ||
          text.size() >= limits.header_line)
        return false;
      const BytesView name = text.substr(0, static_cast<std::size_t>(colon - line));
      const BytesView value = text.substr(name.size() + 1);
      if (!counted && is_content_length(name)) {
        const auto announced = detail::parse_decimal(value);
        if (!announced || *announced > limits.body) return false;
        counted = true;
        length = *announced;
      }
      frame.few_[count++] = {name, value};
    }
    line = stop + 1;
    colon = nullptr;
    return true;
  };

  for (const char* at = begin; body == nullptr; at += detail::marks_at_once) {
    if (at >= end) return false;
    for (unsigned marks = detail::head_marks(at, end); marks != 0 && body == nullptr;
         marks &= marks - 1) {
      const char* const mark = at + std::countr_zero(marks);
      if (*mark == ':') {
        if (colon == nullptr) colon = mark;
      } else if (*mark != '\n' || !take_line(mark)) {
        return false;
      }
    }
  }
  const Command command = find_command(frame.command_name_);
  if (command == Command::unknown) return false;
  // Each line lies within the block if the last one does.
  if (count > limits.headers || static_cast<std::size_t>(body - 1 - block) > limits.header_block)
    return false;

  command_ = command;
  frame.command_ = command;
  frame.count_ = count;
  header_count_ = count;
  counted_ = counted;
  body_length_ = length;
  block_start_ = static_cast<std::uint32_t>(block - begin);
  line_start_ = static_cast<std::size_t>(body - begin);
  return true;
}

}  // namespace hawser::stomp
