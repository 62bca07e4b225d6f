// Octets to frames: one incremental parser for STOMP 1.0, 1.1 and 1.2, with no I/O (stomp.md 1).
// Public; one object a stream, used by one thread at a time.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/stomp/body_sink.hpp>
#include <hawser/stomp/command.hpp>
#include <hawser/stomp/detail/held_bytes.hpp>
#include <hawser/stomp/escape.hpp>
#include <hawser/stomp/fault.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/limits.hpp>
#include <hawser/stomp/version.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

namespace hawser::stomp {

/// What a parser refuses and what it lets pass. Parsers refer to their options, so that thousands
/// of connections share one object: keep it alive and unchanged as long as any of them.
struct ParserOptions {
  Limits limits{};

  /// Drop a CR before LF in 1.0 and 1.1 sessions too (P-17): nobody means it. When false it is part
  /// of the line there. In 1.2, and before a version is agreed, it always belongs to the line end.
  bool drop_cr = true;

  /// P-14, P-15, S-30.
  UndefinedEscape undefined_escapes = UndefinedEscape::refuse;

  /// Refuse what the grammar forbids and brokers accept: a raw ':' in a 1.1 or 1.2 value, and a CR
  /// within a 1.2 line (P-06). Does not touch CONNECT, STOMP and CONNECTED.
  bool strict_octets = false;

  /// Refuse a body on anything but SEND, MESSAGE and ERROR (P-10).
  bool strict_bodies = false;

  /// Refuse names and values that are not UTF-8 (P-09).
  bool strict_utf8 = false;

  /// Hand over frames with a command that STOMP does not have, as Command::unknown.
  bool pass_unknown_commands = false;
};

/// What a call of Parser::next came to.
enum class Step : unsigned char {
  need_more,  ///< all input is used up; a frame may have begun
  frame,      ///< one frame is in the FrameView; call again, there may be more input
  heartbeat,  ///< all input is used up, and it ended in line ends between frames (P-27). Says that
              ///< the peer lives, not how often: a run of them counts once, and the LF that some
              ///< brokers put after each frame (P-29) or one before a frame in the same input does
              ///< not count
  error,      ///< the stream is not STOMP: see Parser::error. Every further call says so again
};

/// The usual loop, for each piece of input, however it is cut:
///
///   for (;;) {
///     switch (parser.next(input, frame)) {
///       case Step::frame: use(frame); continue;
///       case Step::error: refuse(*parser.error()); return;
///       case Step::heartbeat: case Step::need_more: return;
///     }
///   }
///
/// A frame that lies whole in the input is not copied; one that straddles inputs is, once. Between
/// frames a parser holds no memory beyond itself. A body that stream_to() gives away is never held.
class Parser {
 public:
  /// With default options.
  Parser() noexcept;
  explicit Parser(const ParserOptions& options) noexcept : options_(&options) {}
  explicit Parser(ParserOptions&&) = delete;  // would dangle

  /// Takes octets off the front of `input` up to the end of one frame, or all of them. `frame`
  /// holds a frame only after Step::frame, and until the octets of `input` or `frame` itself
  /// change.
  Step next(BytesView& input, FrameView& frame);

  /// The session's version is agreed: its rules for escapes (P-11 to P-16), CR (P-17) and padding
  /// (P-18, P-19) hold from here on, and the pre-login limit is lifted. Call between frames, right
  /// after CONNECT or CONNECTED came out of next. Until then nothing is unescaped or trimmed.
  void set_version(Version version) noexcept { version_ = version; }
  std::optional<Version> version() const noexcept { return version_; }

  /// Asks `sink` about each body, from the next frame on; nullptr: bodies are part of their frames.
  /// Nothing of a body is copied then. A fault in the midst of one comes after parts of it.
  void stream_to(BodySink* sink) noexcept { sink_ = sink; }
  /// Whether the body of the last frame went to the sink.
  bool streamed() const noexcept { return streamed_; }

  /// What went wrong after Step::error; nullptr before.
  const ParseError* error() const noexcept { return error_.get(); }

  /// True when the stream could end here: no frame has begun.
  bool between_frames() const noexcept { return held_.empty() && phase_ != Phase::failed; }

  /// Octets of memory held for a frame that is not complete yet.
  std::size_t held() const noexcept { return held_.capacity(); }

 private:
  enum class Phase : unsigned char { command, headers, body, streaming, failed };
  enum class Head : unsigned char { partial, blank, done, failed };  // blank: an EOL between frames

  Step read_whole(BytesView& input, FrameView& frame, bool beat);
  Step resume(BytesView& input, FrameView& frame);
  Step resume_body(BytesView& input, FrameView& frame);
  bool offer_body(FrameView& frame);
  Step stream_body(BytesView& input, FrameView& frame);
  Step deliver_held(BytesView& input, FrameView& frame);
  void deliver(FrameView& frame, BytesView body);
  void unescape_headers(FrameView& frame) const;

  void begin_frame() noexcept;
  /// False: it is of another kind, nothing has changed, and read_head is to read it.
  bool read_plain_head(const char* begin, const char* end, FrameView& frame);
  Head read_head(const char* begin, const char* end, FrameView& frame);
  static bool is_content_length(BytesView name) noexcept {
    constexpr BytesView length = "content-length";
    // A size that the compiler knows needs no call.
    return name.size() == length.size() &&
           std::memcmp(name.data(), length.data(), length.size()) == 0;
  }
  bool take_command(BytesView line, FrameView& frame);
  bool take_header(BytesView line, const char* colon, bool backslash, FrameView& frame);
  bool refuse_header(BytesView line, const char* colon);
  bool escapes_are_good(BytesView name, BytesView value);
  bool octets_are_good(BytesView line, BytesView name, BytesView value);
  bool take_content_length(BytesView value);
  bool fail_announced_body();
  bool end_head();

  std::size_t line_room() const noexcept;
  std::size_t body_room() const noexcept;
  void fail_long_line();
  void fail_long_body();
  bool fail(Fault fault, Bytes text);  // always false
  Step stop_failed(BytesView& input, FrameView& frame) noexcept;

  bool drops_cr() const noexcept {
    return options_->drop_cr || !version_ || *version_ == Version::v1_2;
  }
  bool unescapes() const noexcept {
    return version_ && *version_ != Version::v1_0 && escapes_headers(command_);
  }

  // The frame that is being read; offsets count from its first octet, wherever that lies.
  const ParserOptions* options_;
  detail::HeldBytes held_;  // its octets so far, when they came in pieces
  std::unique_ptr<ParseError> error_;
  BodySink* sink_ = nullptr;
  // The line being read; in Phase::body the body; in Phase::streaming how much of it has gone.
  std::size_t line_start_ = 0;
  std::uint64_t body_length_ = 0;  // if counted_
  std::uint32_t block_start_ = 0;  // the first header line, behind a short command
  std::uint32_t header_count_ = 0;
  std::optional<Version> version_{};
  Command command_ = Command::unknown;
  Phase phase_ = Phase::command;
  bool counted_ = false;      // content-length was given
  bool after_frame_ = false;  // no line end has followed the last frame yet
  bool offered_ = false;      // the sink has been asked about this frame's body
  bool streamed_ = false;
};

/// Every frame that `input` completes, copied (S-27). Look at parser.error() afterwards.
std::vector<Frame> parse_all(Parser& parser, BytesView input);

}  // namespace hawser::stomp
