// The frame into which the sessions of a thread parse. Internal.
#pragma once

#include <hawser/stomp/parser.hpp>

namespace hawser::stomp::detail {

/// One for all sessions of a thread: it only borrows while a chunk is being read.
inline FrameView& scratch_frame() {
  thread_local FrameView frame;
  return frame;
}

}  // namespace hawser::stomp::detail
