// Where a parser puts the bodies that are not to be held whole. Public; called from Parser::next.
#pragma once

#include <hawser/base/bytes.hpp>

#include <cstdint>
#include <optional>

namespace hawser::stomp {

class FrameView;

class BodySink {
 public:
  /// A frame's head is there, and its body is to come: `length` octets, if content-length says so.
  /// True: it comes to body_part() as it arrives, and Limits::body is not looked at; the frame that
  /// Parser::next then answers has an empty body. The head is borrowed for the call.
  virtual bool wants_body(const FrameView& head, std::optional<std::uint64_t> length) = 0;
  /// Some octets of that body, never none; borrowed for the call.
  virtual void body_part(BytesView octets) = 0;

 protected:
  ~BodySink() = default;
};

}  // namespace hawser::stomp
