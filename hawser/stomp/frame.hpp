// A STOMP frame twice: Frame owns its octets and is what users build and keep; FrameView borrows
// them and is what the parser fills in without copying. Public; a Frame is a plain value, a
// FrameView belongs to the thread that runs its parser.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/stomp/command.hpp>
#include <hawser/stomp/detail/held_bytes.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace hawser::stomp {

/// A header line, decoded: what is escaped on the wire is plain here.
struct Header {
  Bytes name{};
  Bytes value{};
  friend bool operator==(const Header&, const Header&) = default;
};

/// The same, borrowed.
struct HeaderView {
  BytesView name{};
  BytesView value{};
  friend bool operator==(const HeaderView&, const HeaderView&) = default;
};

/// An owned frame. Headers keep their order and their duplicates, of which the first counts (P-26).
/// Names and values are octet strings; nothing is transcoded (P-09).
struct Frame {
  Command command = Command::unknown;
  std::vector<Header> headers{};
  Payload body{};

  /// The value of the first header of that name, or nothing. Holds while `headers` is unchanged.
  std::optional<BytesView> first(BytesView name) const noexcept;

  /// Appends a header, whether or not one of that name is there.
  Frame& add(BytesView name, BytesView value);

  /// Makes `value` the only one of that name: in the place of the first, or at the end.
  Frame& set(BytesView name, BytesView value);

  /// Removes every header of that name; how many there were.
  std::size_t remove(BytesView name);

  /// Names with their first value each.
  std::map<Bytes, Bytes, std::less<>> to_map() const;

  friend bool operator==(const Frame&, const Frame&) = default;
};

/// A frame as the parser sees it: views into the octets given to Parser::next or, when the frame
/// came in pieces or had escapes, into memory that this object holds. Everything it hands out ends
/// with the octets given to next, with the next call that gets this object, or with the object. One
/// FrameView serves any number of parsers in turn, so idle connections need none.
class FrameView {
 public:
  FrameView() = default;
  FrameView(const FrameView&) = delete;
  FrameView& operator=(const FrameView&) = delete;

  Command command() const noexcept { return command_; }

  /// The command's own octets: tells what a Command::unknown was.
  BytesView command_name() const noexcept { return command_name_; }

  std::span<const HeaderView> headers() const noexcept {
    return {count_ <= few ? few_.data() : many_.data(), count_};
  }

  /// As Frame::first.
  std::optional<BytesView> first(BytesView name) const noexcept;

  BytesView body() const noexcept { return body_; }

  /// A copy that owns everything.
  Frame to_frame() const;

 private:
  friend class Parser;

  /// More headers than nearly all frames have: those cost no allocation.
  static constexpr std::size_t few = 16;

  void clear() noexcept {
    command_ = Command::unknown;
    command_name_ = {};
    body_ = {};
    count_ = 0;
    escaped_ = 0;
    held_.clear();
  }

  void add(BytesView name, BytesView value) {
    if (count_ < few) {
      few_[count_] = {name, value};
    } else {
      if (count_ == few) many_.assign(few_.begin(), few_.end());
      many_.push_back({name, value});
    }
    ++count_;
  }

  Command command_ = Command::unknown;
  BytesView command_name_{};
  BytesView body_{};
  std::size_t count_ = 0;
  std::size_t escaped_ = 0;  // octets of header lines with a backslash to decode, an upper bound
  std::array<HeaderView, few> few_{};
  std::vector<HeaderView> many_{};  // all headers, once there are more than few
  Bytes unescaped_{};               // where decoded names and values lie
  detail::HeldBytes held_{};        // the whole frame, when it came in pieces
};

}  // namespace hawser::stomp
