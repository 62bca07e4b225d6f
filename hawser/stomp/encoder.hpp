// Frames to octets, for STOMP 1.0, 1.1 and 1.2 (stomp.md 1). Public; pure functions and a writer
// that belongs to one thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/stomp/command.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/version.hpp>

#include <cstddef>
#include <span>

namespace hawser::stomp {

/// The octet that ends every frame.
inline constexpr BytesView frame_end{"\0", 1};

/// A heart-beat: one LF, in every version (P-27).
inline constexpr BytesView heartbeat_octet{"\n", 1};

struct EncodeOptions {
  /// Write content-length when the body is not empty (P-23). Turn off for peers that take it as
  /// the mark of a binary message; a body with a NUL in it cannot be sent then.
  bool content_length = true;

  /// Let any command carry a body (P-10), not only SEND, MESSAGE and ERROR.
  bool any_body = false;
};

/// Writes a frame's head, up to and with the empty line, behind what is in a buffer: the way of the
/// hot path, which has headers from many places and a body that many receivers share. On the wire
/// then: the head, the body by reference, frame_end.
///
///   HeadWriter head(out, version, Command::message);
///   head.add("destination", destination).add("message-id", id);
///   if (auto done = head.finish(body); !done) ...  // `out` is as it was before
///
/// Headers are escaped by `version`, those of CONNECT, STOMP and CONNECTED never (P-16). The length
/// of the body is the writer's to tell: a content-length that is added is left out.
class HeadWriter {
 public:
  HeadWriter(Bytes& out, Version version, Command command, EncodeOptions options = {});
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;

  /// Takes the head back out of the buffer unless it was finished.
  ~HeadWriter() {
    if (!finished_) out_.resize(start_);
  }

  HeadWriter& add(BytesView name, BytesView value);

  /// Ends the head of a frame with that body, of which nothing is written. invalid_argument, and a
  /// buffer as before, if a name or value cannot be sent in this version (NUL; LF or CR where it
  /// has no escape; an empty name; ':' in a name where it has none), if the frame cannot carry this
  /// body, or for Command::unknown. Must be called once, last.
  Result<void> finish(BytesView body = {});

 private:
  enum class Trouble : unsigned char { none, unknown_command, empty_name, octet };

  bool put(BytesView text, bool is_name);

  Bytes& out_;
  std::size_t start_;
  EncodeOptions options_;
  Version version_;
  Command command_;
  bool escapes_;
  bool finished_ = false;
  Trouble trouble_ = Trouble::none;
  char octet_ = 0;
  Bytes culprit_{};  // the name of the header in trouble
};

/// Appends the whole frame to `out`. Errors as HeadWriter::finish.
Result<void> encode(Bytes& out, const Frame& frame, Version version, EncodeOptions options = {});

/// Appends all frames, for one write; a heart-beat if there are none (S-24). After an error `out`
/// is as before.
Result<void> encode(Bytes& out, std::span<const Frame> frames, Version version,
                    EncodeOptions options = {});

/// The frame's head alone, for a body that is sent by reference and followed by frame_end.
Result<Bytes> encode_head(const Frame& frame, Version version, EncodeOptions options = {});

}  // namespace hawser::stomp
