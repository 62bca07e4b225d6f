// How much of a STOMP peer's input is taken before it is refused. Public; plain values.
#pragma once

#include <cstddef>

namespace hawser::stomp {

/// The parser's bounds (stomp.md 1.6). Every one is a setting; what exceeds one fails the stream
/// with a Fault of its own. "Line" means the octets before the LF, so a CR counts.
struct Limits {
  std::size_t command = 32;                 ///< octets of the command line
  std::size_t headers = 1'000;              ///< header lines in a frame
  std::size_t header_line = 16 * 1024;      ///< octets of one header line
  std::size_t header_block = 64 * 1024;     ///< octets of all header lines, line ends included
  std::size_t body = 16 * 1024 * 1024;      ///< octets of a body; a client usually takes 64 MiB
  std::size_t pre_login_frame = 64 * 1024;  ///< head and body together, until a version is agreed
};

}  // namespace hawser::stomp
