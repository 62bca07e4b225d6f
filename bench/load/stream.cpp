// The three wires. WebSocket is as much of RFC 6455 as an echo of packets needs.
#include <bench/load/packets.hpp>
#include <bench/load/stream.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace hawser::bench {

namespace {

constexpr unsigned char final_binary = 0x82;
constexpr unsigned char ping = 0x89;
constexpr unsigned char masked = 0x80;
constexpr std::size_t mask_bytes = 4;
constexpr std::size_t head_room = 4;  // a head of a server's frame, of which some came before
constexpr unsigned long longest_short = 125;
constexpr unsigned char two_byte_length = 126;
constexpr std::string_view request =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

Error broken(const char* what) { return {ErrorKind::protocol_error, 0, "WebSocket", what}; }

}  // namespace

std::string_view to_string(Wire wire) noexcept {
  switch (wire) {
    case Wire::plain:
      return "plain";
    case Wire::tls:
      return "TLS";
    case Wire::websocket:
      return "WebSocket";
  }
  return "";
}

Result<Stream> Stream::open(Wire wire, const TlsClients& clients, int fd, Duration stall) {
  Stream stream(wire, fd);
  if (wire == Wire::tls) {
    auto tls = TlsStream::shake(clients, fd, stall);
    if (!tls) return std::unexpected(tls.error());
    stream.tls_.emplace(std::move(*tls));
  } else if (wire == Wire::websocket) {
    if (auto upgraded = stream.upgrade(stall); !upgraded) return std::unexpected(upgraded.error());
  }
  return stream;
}

Result<void> Stream::upgrade(Duration stall) {
  if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return std::unexpected(system_error(errno, "WebSocket handshake", "send"));
  }
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(stall);
  Bytes answer;
  while (!answer.ends_with("\r\n\r\n")) {
    pollfd waiting = {fd_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(limit.count())) == 0)
      return std::unexpected(
          Error{ErrorKind::timeout, 0, "WebSocket handshake", "the server is silent"});
    char bytes[1024];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0)
      return std::unexpected(system_error(got == 0 ? ECONNRESET : errno, "WebSocket handshake"));
    answer.append(bytes, static_cast<std::size_t>(got));
  }
  if (!answer.starts_with("HTTP/1.1 101 "))
    return std::unexpected(broken("the server does not switch protocols"));
  return {};
}

// ---- sending
// ---------------------------------------------------------------------------------------

Result<void> Stream::send(BytesView packets) {
  if (wire_ == Wire::websocket) {
    append_frames(packets);
    return flush();
  }
  if (!unsent_.empty()) {
    unsent_.append(packets);
    return {};
  }
  const auto sent = write(packets);
  if (!sent) return std::unexpected(sent.error());
  if (*sent != packets.size()) unsent_.assign(packets, *sent);
  return {};
}

Result<void> Stream::flush() {
  if (unsent_.empty()) return {};
  const auto sent = write(unsent_);
  if (!sent) return std::unexpected(sent.error());
  unsent_.erase(0, *sent);
  return {};
}

Result<std::size_t> Stream::write(BytesView bytes) {
  if (tls_) return tls_->send(bytes);
  const ssize_t taken = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (taken >= 0) return static_cast<std::size_t>(taken);
  if (errno == EAGAIN || errno == EINTR) return 0;
  return std::unexpected(system_error(errno, "load", "send"));
}

void Stream::append_frames(BytesView packets) {
  while (packets.size() >= prefix_bytes) {
    const auto high = static_cast<unsigned char>(packets[0]);
    const auto low = static_cast<unsigned char>(packets[1]);
    const std::size_t size = std::size_t{high} << 8U | low;
    packets.remove_prefix(prefix_bytes);
    unsent_.push_back(static_cast<char>(final_binary));
    if (size <= longest_short) {
      unsent_.push_back(static_cast<char>(masked | size));
    } else {
      unsent_.push_back(static_cast<char>(masked | two_byte_length));
      unsent_.push_back(static_cast<char>(high));
      unsent_.push_back(static_cast<char>(low));
    }
    const std::uint32_t key = ++frames_ * 0x9e3779b9U;
    char mask[mask_bytes];
    std::memcpy(mask, &key, mask_bytes);
    unsent_.append(mask, mask_bytes);
    const std::size_t begin = unsent_.size();
    unsent_.append(packets.substr(0, size));
    for (std::size_t i = 0; i < size; ++i)
      unsent_[begin + i] = static_cast<char>(unsent_[begin + i] ^ mask[i % mask_bytes]);
    packets.remove_prefix(size);
  }
}

// ---- receiving
// -------------------------------------------------------------------------------------

Result<std::size_t> Stream::read(std::span<char> room) {
  while (true) {
    const ssize_t got = recv(fd_, room.data(), room.size(), 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0)
      return std::unexpected(Error{ErrorKind::closed, 0, "load", "the server closed a connection"});
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return std::unexpected(system_error(errno, "load", "receive"));
  }
}

Result<std::size_t> Stream::receive(std::span<char> room, bool& drained) {
  if (tls_) {
    const auto got = tls_->receive(room);  // it was a record, and there may be more
    drained = got && *got == 0;
    return got;
  }
  if (wire_ == Wire::plain) {
    const auto got = read(room);
    drained = got && *got < room.size();
    return got;
  }
  while (true) {
    const auto got = read(room.subspan(head_room));
    if (!got) return got;
    drained = *got < room.size() - head_room;
    const auto size = unwrap(room, head_room, head_room + *got);
    if (!size || *size != 0 || drained) return size;
  }
}

/// Frames in [begin, end) of `room` become prefixed packets at its front: never longer than the
/// frames and what is kept of an unfinished head.
Result<std::size_t> Stream::unwrap(std::span<char> room, std::size_t begin, std::size_t end) {
  std::size_t out = 0;
  while (begin < end) {
    if (missing_ != 0) {
      const std::size_t take = std::min(missing_, end - begin);
      if (!skipped_) {
        std::memmove(room.data() + out, room.data() + begin, take);
        out += take;
      }
      begin += take;
      missing_ -= take;
      continue;
    }
    head_[head_size_++] = static_cast<unsigned char>(room[begin++]);
    if (head_size_ < 2) continue;
    const bool is_long = head_[1] == two_byte_length;
    if (is_long && head_size_ < sizeof head_) continue;
    // Packets are signs of life enough for who asks for one.
    skipped_ = head_[0] == ping;
    if ((head_[0] != final_binary && !skipped_) || (!is_long && head_[1] > longest_short))
      return std::unexpected(broken("a frame that is no whole binary message of 64 KiB at most"));
    missing_ = is_long ? std::size_t{head_[2]} << 8U | head_[3] : head_[1];
    head_size_ = 0;
    if (skipped_) continue;
    room[out++] = static_cast<char>(missing_ >> 8U);
    room[out++] = static_cast<char>(missing_ & 0xffU);
  }
  return out;
}

}  // namespace hawser::bench
