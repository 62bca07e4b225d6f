// zlib's streams, bounded in what they give at a time.
#include <hawser/base/check.hpp>
#include <hawser/net/websocket/detail/deflate.hpp>

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

namespace hawser::websocket {

namespace {

/// zlib counts in unsigned int.
uInt counted(std::size_t size) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

Bytef* unread(const char* bytes) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes));  // zlib only reads it
}

}  // namespace

Deflater::Deflater(const Shape& shape) : stream_(std::make_unique<z_stream>()), shape_(shape) {
  *stream_ = {};
  const int answer = deflateInit2(stream_.get(), shape.level, Z_DEFLATED, -shape.window_bits,
                                  shape.memory_level, Z_DEFAULT_STRATEGY);
  if (answer == Z_MEM_ERROR) throw std::bad_alloc();
  check(answer == Z_OK, "Deflater: a level or window that zlib does not have");
}

Deflater::~Deflater() { deflateEnd(stream_.get()); }

void Deflater::reset() noexcept { deflateReset(stream_.get()); }

void Deflater::run(BytesView bytes, int flush, std::string& out) {
  do {
    stream_->next_in = unread(bytes.data());
    const uInt given = counted(bytes.size());
    stream_->avail_in = given;
    const std::size_t used = out.size();
    const std::size_t room = std::max<std::size_t>(bytes.size() / 2, 1024);
    out.resize(used + room);
    stream_->next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream_->avail_out = counted(room);
    deflate(stream_.get(), flush);  // can only report a lack of room
    bytes.remove_prefix(given - stream_->avail_in);
    out.resize(used + counted(room) - stream_->avail_out);
  } while (!bytes.empty() || stream_->avail_out == 0);
}

void Deflater::add(BytesView bytes, std::string& out) {
  if (!bytes.empty()) run(bytes, Z_NO_FLUSH, out);
}

void Deflater::finish(std::string& out) {
  const std::size_t before = out.size();
  run({}, Z_SYNC_FLUSH, out);
  if (out.size() == before) {
    // zlib says nothing to a second flush with no byte between: an empty message after another
    // flush is the empty stored block alone, less its tail (RFC 7692 §7.2.3.6).
    out.push_back('\0');
    return;
  }
  check(out.ends_with(Inflater::tail), "Deflater: a sync flush ends with an empty stored block");
  out.resize(out.size() - Inflater::tail.size());
}

Inflater::Inflater(int window_bits)
    : stream_(std::make_unique<z_stream>()), window_bits_(window_bits) {
  *stream_ = {};
  const int answer = inflateInit2(stream_.get(), -window_bits);
  if (answer == Z_MEM_ERROR) throw std::bad_alloc();
  check(answer == Z_OK, "Inflater: a window that zlib does not have");
}

Inflater::~Inflater() { inflateEnd(stream_.get()); }

void Inflater::reset(int window_bits) {
  window_bits_ = window_bits;
  ok_ = true;
  ended_ = false;
  at_boundary_ = false;
  check(inflateReset2(stream_.get(), -window_bits) == Z_OK, "Inflater: no such window");
}

void Inflater::start_again() {
  // What follows a final block is a new stream, but the window goes on (§7.2.3.5).
  std::string window(std::size_t{1} << 15U, '\0');
  uInt size = 0;
  inflateGetDictionary(stream_.get(), reinterpret_cast<Bytef*>(window.data()), &size);
  inflateReset(stream_.get());
  inflateSetDictionary(stream_.get(), unread(window.data()), size);
  ended_ = true;
}

std::size_t Inflater::run(BytesView& input, std::span<char> out) {
  constexpr int after_a_block = 128;
  constexpr int last_block = 64;
  stream_->next_out = reinterpret_cast<Bytef*>(out.data());
  stream_->avail_out = counted(out.size());
  const std::size_t room = stream_->avail_out;
  while (ok_) {
    stream_->next_in = unread(input.data());
    stream_->avail_in = counted(input.size());
    const uInt given = stream_->avail_in;
    const uInt free_before = stream_->avail_out;
    if (given > 0) ended_ = false;
    // Z_BLOCK stops at the end of each block: that is how at_boundary() can tell.
    const int answer = inflate(stream_.get(), Z_BLOCK);
    const std::size_t taken = given - stream_->avail_in;
    input.remove_prefix(taken);
    if (answer == Z_STREAM_END) {
      start_again();
    } else if (answer == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (answer != Z_OK && answer != Z_BUF_ERROR) {
      ok_ = false;
    }
    const bool moved = taken > 0 || stream_->avail_out != free_before;
    if (moved) at_boundary_ = (stream_->data_type & after_a_block) != 0;
    if (stream_->avail_out == 0) break;
    // The end of the stream is only reported when zlib is asked once more.
    if (answer == Z_OK && at_boundary_ && (stream_->data_type & last_block) != 0) continue;
    if (input.empty() || (!moved && answer != Z_STREAM_END)) break;
  }
  return room - stream_->avail_out;
}

}  // namespace hawser::websocket
