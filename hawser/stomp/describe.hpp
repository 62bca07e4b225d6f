// Frames in words, for logs and the observer. Public; pure functions.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/stomp/frame.hpp>

namespace hawser::stomp {

/// One line of printable ASCII: `SEND destination:"/queue/a" receipt:"7" (12 octets of body)`. A
/// passcode, in whatever case its name is, reads `***`; the body is never shown. At most 16 headers
/// and 80 octets of each name and value, then "...".
Bytes describe(const Frame& frame);
Bytes describe(const FrameView& frame);

}  // namespace hawser::stomp
