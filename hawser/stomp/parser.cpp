// How the parser works: read_whole parses a frame in place, out of the input. If the input ends
// first, what there is of the frame goes to held_ and the state stays as it is; resume then adds
// octets, line by line and at last the body, each looked at once, and checks every line as soon as
// it is complete. When the frame is complete, its lines are read once more, from where they now lie
// for good. Each check depends on the octets up to its place alone, so every cut of a stream gives
// the same frames and the same error.
#include <hawser/stomp/parser.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/utf8.hpp>
#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/detail/scan.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace hawser::stomp {

namespace {
constexpr ParserOptions default_options{};

/// What is left of `limit` after `used`.
constexpr std::size_t left(std::size_t limit, std::size_t used) noexcept {
  return limit > used ? limit - used : 0;
}

/// The octets to look at, out of `available`, to find an end after at most `room` of them.
constexpr std::size_t window(std::size_t available, std::size_t room) noexcept {
  return available > room ? room + 1 : available;
}

std::size_t distance(const char* from, const char* to) noexcept {
  return static_cast<std::size_t>(to - from);
}

const char* find_nul(const char* begin, std::size_t size) noexcept {
  return size == 0 ? nullptr : static_cast<const char*>(std::memchr(begin, '\0', size));
}
}  // namespace

Parser::Parser() noexcept : options_(&default_options) {}

Step Parser::next(BytesView& input, FrameView& frame) {
  frame.clear();
  if (phase_ == Phase::failed) return stop_failed(input, frame);
  if (phase_ == Phase::streaming) return stream_body(input, frame);
  return held_.empty() ? read_whole(input, frame, false) : resume(input, frame);
}

Step Parser::read_whole(BytesView& input, FrameView& frame, bool beat) {
  const char* at = input.data();
  const char* const end = at + input.size();
  while (at != end) {
    if (*at == '\n') {
      at += 1;
    } else if (*at == '\r' && end - at > 1 && at[1] == '\n' && drops_cr()) {
      at += 2;
    } else {
      break;
    }
    beat |= !std::exchange(after_frame_, false);
  }
  if (at == end) {
    input = {};
    return beat ? Step::heartbeat : Step::need_more;
  }

  begin_frame();
  const char* const begin = at;
  const Head head = !read_plain_head(begin, end, frame) ? read_head(begin, end, frame)
                    : end_head()                        ? Head::done
                                                        : Head::failed;
  if (head == Head::failed) return stop_failed(input, frame);
  if (head == Head::done) {
    const char* const body = begin + line_start_;
    if (offer_body(frame)) {
      held_.append({begin, distance(begin, body)}, 0);
      line_start_ = 0;
      input.remove_prefix(distance(input.data(), body));
      return stream_body(input, frame);
    }
    if (phase_ == Phase::failed) return stop_failed(input, frame);
    const std::size_t available = distance(body, end);
    const char* body_end = nullptr;
    if (counted_) {
      if (available > body_length_) {
        body_end = body + body_length_;
        if (*body_end != '\0') {
          fail_long_body();
          return stop_failed(input, frame);
        }
      }
    } else {
      const std::size_t room = body_room();
      body_end = find_nul(body, window(available, room));
      if (body_end == nullptr && available > room) {
        fail_long_body();
        return stop_failed(input, frame);
      }
    }
    if (body_end != nullptr) {
      deliver(frame, {body, distance(body, body_end)});
      input.remove_prefix(distance(input.data(), body_end + 1));
      return Step::frame;
    }
  }
  // A head without LF so far may be a lone CR: it is held like any line, and seen as blank later.
  held_.append({begin, distance(begin, end)}, 0);
  frame.clear();
  input = {};
  return Step::need_more;
}

Step Parser::resume(BytesView& input, FrameView& frame) {
  while (phase_ != Phase::body) {
    if (input.empty()) {
      frame.clear();
      return Step::need_more;
    }
    const std::size_t begun = held_.size() - line_start_;
    const std::size_t room = left(line_room(), begun);
    const std::size_t size = window(input.size(), room);
    const char* const end = input.data() + size;
    const char* const stop = detail::scan_line(input.data(), end).stop;
    const bool found = stop != end;
    const std::size_t taken = found ? distance(input.data(), stop) + 1 : size;
    held_.append(input.substr(0, taken), 0);
    input.remove_prefix(taken);
    if (!found && size <= room) continue;  // the line goes on in the next input
    const BytesView so_far = held_.view();
    const Head head = read_head(so_far.data(), so_far.data() + so_far.size(), frame);
    if (head == Head::failed) return stop_failed(input, frame);
    if (head == Head::blank) {  // a CR came last in one input and its LF first in this one
      held_.clear();
      return read_whole(input, frame, !std::exchange(after_frame_, false));
    }
  }
  if (!offered_) {
    // Its lines were read in pieces: the sink sees the head whole.
    if (sink_ != nullptr) {
      const BytesView whole = held_.view();
      const std::size_t body_start = line_start_;
      frame.clear();
      begin_frame();
      const Head again = read_head(whole.data(), whole.data() + body_start, frame);
      if (again == Head::failed) return stop_failed(input, frame);
    }
    if (offer_body(frame)) {
      line_start_ = 0;
      return stream_body(input, frame);
    }
    if (phase_ == Phase::failed) return stop_failed(input, frame);
  }
  return resume_body(input, frame);
}

/// The head is in `frame`: does the sink want the body? The limit on bodies is for
/// those that are held.
bool Parser::offer_body(FrameView& frame) {
  offered_ = true;
  if (sink_ == nullptr) return false;
  const bool has_body = !counted_ || body_length_ > 0;
  if (has_body && (!options_->strict_bodies || may_carry_body(command_))) {
    if (frame.escaped_ > 0) unescape_headers(frame);
    frame.escaped_ = 0;  // once is enough
    const auto length = counted_ ? std::optional(body_length_) : std::nullopt;
    if (sink_->wants_body(frame, length)) {
      phase_ = Phase::streaming;
      return true;
    }
  }
  if (counted_ && body_length_ > options_->limits.body) fail_announced_body();
  return false;
}

Step Parser::stream_body(BytesView& input, FrameView& frame) {
  while (!input.empty()) {
    std::size_t size = input.size();
    bool ends = false;
    if (counted_) {
      const std::uint64_t rest = body_length_ - line_start_;
      if (rest == 0) {
        if (input.front() != '\0') {
          fail_long_body();
          return stop_failed(input, frame);
        }
        size = 0;
        ends = true;
      } else {
        size = static_cast<std::size_t>(std::min<std::uint64_t>(rest, size));
      }
    } else if (const char* const end = find_nul(input.data(), size)) {
      size = distance(input.data(), end);
      ends = true;
    }
    const BytesView part = input.substr(0, size);
    input.remove_prefix(ends ? size + 1 : size);
    line_start_ += size;
    if (size > 0) sink_->body_part(part);
    if (!ends) continue;
    frame.clear();
    frame.held_ = std::move(held_);  // the head
    begin_frame();
    const BytesView whole = frame.held_.view();
    const Head head = read_head(whole.data(), whole.data() + whole.size(), frame);
    if (head == Head::failed) return stop_failed(input, frame);
    deliver(frame, {});
    streamed_ = true;
    return Step::frame;
  }
  frame.clear();
  return Step::need_more;
}

Step Parser::resume_body(BytesView& input, FrameView& frame) {
  const std::size_t begun = held_.size() - line_start_;
  if (counted_) {
    // No more than Limits::body, so it fits size_t.
    const auto length = static_cast<std::size_t>(body_length_);
    const std::size_t taken = std::min(length - begun, input.size());
    held_.append(input.substr(0, taken), line_start_ + length);
    input.remove_prefix(taken);
    if (!input.empty()) {
      if (input.front() == '\0') return deliver_held(input, frame);
      fail_long_body();
      return stop_failed(input, frame);
    }
  } else {
    const std::size_t room = left(body_room(), begun);
    const char* const end = find_nul(input.data(), window(input.size(), room));
    if (end == nullptr && input.size() > room) {
      fail_long_body();
      return stop_failed(input, frame);
    }
    const std::size_t taken = end == nullptr ? input.size() : distance(input.data(), end);
    held_.append(input.substr(0, taken), 0);
    input.remove_prefix(taken);
    if (end != nullptr) return deliver_held(input, frame);
  }
  frame.clear();
  return Step::need_more;
}

Step Parser::deliver_held(BytesView& input, FrameView& frame) {
  input.remove_prefix(1);  // the NUL
  const std::size_t body_start = line_start_;
  frame.clear();
  frame.held_ = std::move(held_);
  begin_frame();
  const BytesView whole = frame.held_.view();
  const Head head = read_head(whole.data(), whole.data() + body_start, frame);
  // Every line was good when it came; it can only fail now if the version was changed in between.
  if (head == Head::failed) return stop_failed(input, frame);
  check(head == Head::done && line_start_ == body_start, "a held frame has the head it had");
  deliver(frame, whole.substr(body_start));
  return Step::frame;
}

void Parser::deliver(FrameView& frame, BytesView body) {
  frame.body_ = body;
  if (frame.escaped_ > 0) unescape_headers(frame);
  begin_frame();
  after_frame_ = true;
  streamed_ = false;
}

void Parser::unescape_headers(FrameView& frame) const {
  Bytes& out = frame.unescaped_;
  out.clear();
  out.reserve(frame.escaped_);  // decoding never lengthens, so the views below stay good
  const auto decode = [&out, version = *version_](BytesView& text) {
    if (text.find('\\') == BytesView::npos) return;
    const std::size_t start = out.size();
    append_unescaped(out, text, version);
    text = BytesView(out).substr(start);
  };
  const std::span<HeaderView> headers{
      frame.count_ <= FrameView::few ? frame.few_.data() : frame.many_.data(), frame.count_};
  for (HeaderView& header : headers) {
    decode(header.name);
    decode(header.value);
  }
}

void Parser::begin_frame() noexcept {
  phase_ = Phase::command;
  line_start_ = 0;
  block_start_ = 0;
  header_count_ = 0;
  body_length_ = 0;
  counted_ = false;
  offered_ = false;
}

/// Takes the lines from line_start_ on, out of a frame whose octets so far are [begin, end).
Parser::Head Parser::read_head(const char* begin, const char* end, FrameView& frame) {
  for (;;) {
    const char* const line = begin + line_start_;
    const detail::LineScan scan = detail::scan_line(line, end);
    if (distance(line, scan.stop) > line_room()) {
      fail_long_line();
      return Head::failed;
    }
    if (scan.stop == end) return Head::partial;
    if (*scan.stop == '\0') {
      fail(Fault::nul_in_head,
           phase_ == Phase::command
               ? fmt::format("NUL octet in the command line {}",
                             quoted({line, distance(line, scan.stop)}, 32))
               : Bytes("NUL octet before the empty line that ends the headers"));
      return Head::failed;
    }
    const char* line_end = scan.stop;
    if (line_end != line && line_end[-1] == '\r' && drops_cr()) --line_end;
    const BytesView text{line, distance(line, line_end)};
    if (phase_ == Phase::command) {
      if (text.empty()) return Head::blank;
      if (!take_command(text, frame)) return Head::failed;
      phase_ = Phase::headers;
      line_start_ = distance(begin, scan.stop + 1);
      block_start_ = static_cast<std::uint32_t>(line_start_);
      continue;
    }
    if (!text.empty() && !take_header(text, scan.colon, scan.backslash, frame)) return Head::failed;
    line_start_ = distance(begin, scan.stop + 1);
    if (text.empty()) return end_head() ? Head::done : Head::failed;
  }
}

bool Parser::take_command(BytesView line, FrameView& frame) {
  command_ = find_command(line);
  frame.command_ = command_;
  frame.command_name_ = line;
  if (command_ != Command::unknown || options_->pass_unknown_commands) return true;
  return fail(Fault::unknown_command, fmt::format("unknown command {}", quoted(line, 32)));
}

bool Parser::take_header(BytesView line, const char* colon, bool backslash, FrameView& frame) {
  if (header_count_ >= options_->limits.headers || colon == nullptr || colon == line.data())
      [[unlikely]]
    return refuse_header(line, colon);
  ++header_count_;
  const BytesView name = line.substr(0, distance(line.data(), colon));
  BytesView value = line.substr(name.size() + 1);
  if (version_ == Version::v1_0) value = trim_padding(value);
  if (backslash && unescapes()) {
    if (options_->undefined_escapes == UndefinedEscape::refuse && !escapes_are_good(name, value))
      return false;
    frame.escaped_ += line.size();
  }
  if ((options_->strict_octets || options_->strict_utf8) && !octets_are_good(line, name, value))
    return false;
  if (!counted_ && is_content_length(name) && !take_content_length(value)) return false;
  frame.add(name, value);
  return true;
}

bool Parser::refuse_header(BytesView line, const char* colon) {
  if (header_count_ >= options_->limits.headers) {
    return fail(Fault::too_many_headers,
                fmt::format("more than {} headers", options_->limits.headers));
  }
  if (colon == nullptr) {
    return fail(Fault::header_without_colon,
                fmt::format("header line without ':' ({})", quoted(line)));
  }
  return fail(Fault::empty_header_name, "header line without a name before ':'");
}

bool Parser::escapes_are_good(BytesView name, BytesView value) {
  for (const BytesView text : {name, value}) {
    const std::size_t at = find_undefined_escape(text, *version_);
    if (at == BytesView::npos) continue;
    return fail(Fault::undefined_escape,
                fmt::format("undefined escape {} in header {} (STOMP {})",
                            quoted(text.substr(at, 2)), quoted(name), to_string(*version_)));
  }
  return true;
}

bool Parser::octets_are_good(BytesView line, BytesView name, BytesView value) {
  if (options_->strict_octets && unescapes()) {
    if (value.find(':') != BytesView::npos) {
      return fail(Fault::forbidden_octet,
                  fmt::format("raw ':' in the value of header {}", quoted(name)));
    }
    if (version_ == Version::v1_2 && line.find('\r') != BytesView::npos) {
      return fail(Fault::forbidden_octet, fmt::format("raw CR in header {}", quoted(name)));
    }
  }
  if (options_->strict_utf8 && !is_utf8(line)) {
    return fail(Fault::not_utf8, fmt::format("header {} is not UTF-8", quoted(name)));
  }
  return true;
}

bool Parser::take_content_length(BytesView value) {
  const auto length = detail::parse_decimal(value);
  if (!length) {
    return fail(Fault::bad_content_length,
                fmt::format("content-length {} is not an unsigned number", quoted(value, 24)));
  }
  counted_ = true;
  body_length_ = *length;
  // With a sink it is not known yet whether this body is to be held.
  return (sink_ != nullptr && version_) || *length <= options_->limits.body ||
         fail_announced_body();
}

bool Parser::fail_announced_body() {
  return fail(Fault::body_too_long, fmt::format("a body of {} octets is announced, at most {} are "
                                                "accepted",
                                                body_length_, options_->limits.body));
}

/// The empty line was read, and line_start_ is where the body begins.
bool Parser::end_head() {
  phase_ = Phase::body;
  if (!counted_ || body_length_ <= body_room()) return true;
  const bool may_stream = sink_ != nullptr && version_ && body_length_ > options_->limits.body;
  if (may_stream && (!options_->strict_bodies || may_carry_body(command_))) return true;
  counted_ = false;  // not what follows the body is wrong, but that there is so much of it
  fail_long_body();
  return false;
}

/// How many octets the line at line_start_ may have.
std::size_t Parser::line_room() const noexcept {
  const Limits& limits = options_->limits;
  std::size_t room = limits.command;
  if (phase_ != Phase::command) {
    room = std::min(limits.header_line, left(limits.header_block, line_start_ - block_start_));
  }
  if (!version_) room = std::min(room, left(limits.pre_login_frame, line_start_));
  // One at least for the CR of a line end between frames, which belongs to no frame.
  return phase_ == Phase::command ? std::max(room, std::size_t{1}) : room;
}

/// How many octets the body at line_start_ may have.
std::size_t Parser::body_room() const noexcept {
  const Limits& limits = options_->limits;
  if (options_->strict_bodies && !may_carry_body(command_)) return 0;
  return version_ ? limits.body : std::min(limits.body, left(limits.pre_login_frame, line_start_));
}

/// Says which of the bounds of line_room was the tightest.
void Parser::fail_long_line() {
  const Limits& limits = options_->limits;
  const std::size_t room = line_room();
  if (!version_ && room >= left(limits.pre_login_frame, line_start_)) {
    fail(Fault::frame_too_long,
         fmt::format("a frame of more than {} octets before login", limits.pre_login_frame));
  } else if (phase_ == Phase::command) {
    fail(Fault::command_too_long, fmt::format("a command of more than {} octets", limits.command));
  } else if (room == limits.header_line) {
    fail(Fault::header_line_too_long,
         fmt::format("a header line of more than {} octets", limits.header_line));
  } else {
    fail(Fault::header_block_too_long,
         fmt::format("headers of more than {} octets together", limits.header_block));
  }
}

/// The body is longer than content-length says, or than body_room.
void Parser::fail_long_body() {
  const Limits& limits = options_->limits;
  if (counted_) {
    fail(Fault::body_not_terminated,
         fmt::format("the octet after a body of content-length {} is not NUL", body_length_));
  } else if (options_->strict_bodies && !may_carry_body(command_)) {
    fail(Fault::unexpected_body, fmt::format("{} must not have a body", to_string(command_)));
  } else if (!version_ && left(limits.pre_login_frame, line_start_) < limits.body) {
    fail(Fault::frame_too_long,
         fmt::format("a frame of more than {} octets before login", limits.pre_login_frame));
  } else {
    fail(Fault::body_too_long, fmt::format("a body of more than {} octets", limits.body));
  }
}

bool Parser::fail(Fault fault, Bytes text) {
  phase_ = Phase::failed;
  error_ = std::make_unique<ParseError>(fault, std::move(text));
  return false;
}

Step Parser::stop_failed(BytesView& input, FrameView& frame) noexcept {
  held_.clear();
  frame.clear();
  input = {};
  return Step::error;
}

std::vector<Frame> parse_all(Parser& parser, BytesView input) {
  std::vector<Frame> frames;
  FrameView frame;
  for (;;) {
    switch (parser.next(input, frame)) {
      case Step::frame:
        frames.push_back(frame.to_frame());
        continue;
      case Step::need_more:
      case Step::heartbeat:
      case Step::error:
        return frames;
    }
  }
}

}  // namespace hawser::stomp
