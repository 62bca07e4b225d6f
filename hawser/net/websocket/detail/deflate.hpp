// Raw DEFLATE streams as permessage-deflate uses them (RFC 7692 §7.2), by zlib. Internal.
#pragma once

#include <hawser/base/bytes.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct z_stream_s;

namespace hawser::websocket {

/// Some 260 KiB with the default window and memory level.
class Deflater {
 public:
  struct Shape {
    int window_bits = 15;  ///< 9 … 15: zlib has no raw window of 8
    int level = 6;
    int memory_level = 8;
    bool operator==(const Shape&) const = default;
  };
  explicit Deflater(const Shape& shape);
  Deflater(Deflater&&) = delete;
  ~Deflater();

  const Shape& shape() const noexcept { return shape_; }
  /// Forgets what came before.
  void reset() noexcept;
  /// Appends what comes out for `bytes` to `out`.
  void add(BytesView bytes, std::string& out);
  /// The message is over: the rest, without the four bytes that §7.2.1 leaves out.
  void finish(std::string& out);

 private:
  void run(BytesView bytes, int flush, std::string& out);
  std::unique_ptr<z_stream_s> stream_;
  Shape shape_;
};

/// Some 10 KiB, and the window (32 KiB at most) once there was something to inflate.
class Inflater {
 public:
  explicit Inflater(int window_bits);
  Inflater(Inflater&&) = delete;
  ~Inflater();

  /// Forgets what came before; the next bytes use a window of so many bits.
  void reset(int window_bits);

  /// Inflates the front of `input` into `out`, taking from `input` what has been used; answers how
  /// many bytes came out. When `out` is full there may be more, also with `input` empty. ok()
  /// tells whether the bytes were DEFLATE at all.
  std::size_t run(BytesView& input, std::span<char> out);
  bool ok() const noexcept { return ok_; }
  /// What the sender left out (§7.2.2): to be run after a message's last byte.
  static constexpr BytesView tail{"\0\0\xff\xff", 4};
  /// A block with BFINAL set was the last thing (§7.2.3.5): then there is no tail to be run.
  bool ended() const noexcept { return ended_; }
  /// After the tail: whether the message ended where a block ends.
  bool at_boundary() const noexcept { return at_boundary_; }

 private:
  void start_again();
  std::unique_ptr<z_stream_s> stream_;
  int window_bits_;
  bool ok_ = true;
  bool ended_ = false;
  bool at_boundary_ = false;
};

}  // namespace hawser::websocket
