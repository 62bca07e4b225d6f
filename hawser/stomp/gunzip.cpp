// zlib's inflate, told to expect gzip.
#include <hawser/stomp/gunzip.hpp>

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace hawser::stomp {
namespace {

constexpr int gzip_window = 15 + 16;  // zlib: largest window, gzip's head and check sum

std::unexpected<Error> refused(ErrorKind kind, std::string what) {
  return std::unexpected(Error{kind, 0, "gunzip", std::move(what)});
}

}  // namespace

struct Gunzip::State {
  explicit State(std::size_t most) : limit(most) {
    if (inflateInit2(&stream, gzip_window) != Z_OK) throw std::bad_alloc();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { inflateEnd(&stream); }

  z_stream stream{};
  std::size_t limit;
  std::size_t out = 0;
  bool in_member = false;
  bool failed = false;
  std::array<char, 65536> buffer;
};

Gunzip::Gunzip(std::size_t limit) : state_(std::make_unique<State>(limit)) {}
Gunzip::~Gunzip() = default;
Gunzip::Gunzip(Gunzip&&) noexcept = default;
Gunzip& Gunzip::operator=(Gunzip&&) noexcept = default;

Result<void> Gunzip::feed(BytesView compressed, const Take& take) {
  State& state = *state_;
  if (state.failed) return refused(ErrorKind::protocol_error, "it has failed before");
  while (!compressed.empty()) {
    const std::size_t piece = std::min(compressed.size(), std::size_t{1} << 30U);
    // zlib's own types: it writes nothing there.
    state.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    state.stream.avail_in = static_cast<uInt>(piece);
    state.in_member = true;
    int went = Z_OK;
    do {
      state.stream.next_out = reinterpret_cast<Bytef*>(state.buffer.data());
      state.stream.avail_out = static_cast<uInt>(state.buffer.size());
      went = inflate(&state.stream, Z_NO_FLUSH);
      const std::size_t size = state.buffer.size() - state.stream.avail_out;
      if (went != Z_OK && went != Z_STREAM_END && went != Z_BUF_ERROR) {
        state.failed = true;
        return refused(ErrorKind::protocol_error,
                       state.stream.msg == nullptr ? "damaged" : state.stream.msg);
      }
      state.out += size;
      if (state.out > state.limit) {
        state.failed = true;
        return refused(ErrorKind::overloaded,
                       fmt::format("more than {} octets come out of it (limit)", state.limit));
      }
      if (size > 0) take({state.buffer.data(), size});
    } while (went == Z_OK && state.stream.avail_out == 0);
    compressed.remove_prefix(piece - state.stream.avail_in);
    if (went == Z_STREAM_END) {
      inflateReset2(&state.stream, gzip_window);
      state.in_member = false;
    }
  }
  return {};
}

Result<void> Gunzip::finish() {
  const bool whole = !state_->in_member && !state_->failed;
  reset();
  if (!whole) return refused(ErrorKind::protocol_error, "the body ends too early");
  return {};
}

void Gunzip::reset() noexcept {
  inflateReset2(&state_->stream, gzip_window);
  state_->out = 0;
  state_->in_member = false;
  state_->failed = false;
}

Result<Bytes> gunzip(BytesView compressed, std::size_t limit) {
  Gunzip gunzip(limit);
  Bytes out;
  if (auto fed = gunzip.feed(compressed, [&out](BytesView part) { out += part; }); !fed)
    return std::unexpected(std::move(fed.error()));
  if (auto finished = gunzip.finish(); !finished)
    return std::unexpected(std::move(finished.error()));
  return out;
}

}  // namespace hawser::stomp
