// Making and checking tagged packets.
#include <bench/load/packets.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace hawser::bench {

namespace {

using Tag = std::array<char, 8>;

Tag tag_of(std::uint32_t connection, std::uint64_t sequence, std::size_t payload) noexcept {
  std::uint64_t bits =
      static_cast<std::uint64_t>(connection) << 32 | static_cast<std::uint32_t>(sequence);
  // What does not fit is cut off in front: spread the connection over the bytes that stay.
  if (payload < 8) bits = sequence * 0x9e3779b1U + connection * std::uint64_t{0x85ebca6bU};
  Tag tag = {};
  for (std::size_t i = 0; i < tag.size(); ++i) {
    tag[i] = static_cast<char>(bits >> (8 * (tag.size() - 1 - i)));
  }
  return tag;
}

char filler(std::size_t at, std::uint64_t sequence) noexcept {
  return static_cast<char>(at * 31 + sequence);
}

}  // namespace

void PacketSource::append_next(Bytes& out) {
  out.push_back(static_cast<char>(payload_ >> 8));
  out.push_back(static_cast<char>(payload_));
  const Tag tag = tag_of(connection_, sequence_, payload_);
  const std::size_t short_part = std::min(payload_, tag.size());
  out.append(tag.data() + tag.size() - short_part, short_part);
  for (std::size_t at = tag.size(); at < payload_; ++at) out.push_back(filler(at, sequence_));
  ++sequence_;
}

bool EchoChecker::right(BytesView payload) const noexcept {
  const Tag tag = tag_of(connection_, sequence_, payload_);
  const std::size_t short_part = std::min(payload_, tag.size());
  if (std::memcmp(payload.data(), tag.data() + tag.size() - short_part, short_part) != 0) {
    return false;
  }
  for (std::size_t at = tag.size(); at < payload_; ++at) {
    if (payload[at] != filler(at, sequence_)) return false;
  }
  return true;
}

Error EchoChecker::wrong(const char* what) const {
  return {ErrorKind::protocol_error, 0, "echo",
          fmt::format("connection {}, packet {}: {}", connection_, sequence_, what)};
}

Result<std::size_t> EchoChecker::take(BytesView bytes) {
  const std::size_t packet = prefix_bytes + payload_;
  const auto check_packet = [&](BytesView whole) -> const char* {
    const auto high = static_cast<unsigned char>(whole[0]);
    const auto low = static_cast<unsigned char>(whole[1]);
    if ((static_cast<std::size_t>(high) << 8 | low) != payload_) return "wrong length";
    if (!right(whole.substr(prefix_bytes))) return "wrong bytes";
    return nullptr;
  };
  std::size_t completed = 0;
  if (!head_.empty()) {
    const std::size_t missing = std::min(packet - head_.size(), bytes.size());
    head_.append(bytes.substr(0, missing));
    bytes.remove_prefix(missing);
    if (head_.size() < packet) return 0;
    if (const char* what = check_packet(head_)) return std::unexpected(wrong(what));
    head_.clear();
    ++sequence_;
    ++completed;
  }
  while (bytes.size() >= packet) {
    if (const char* what = check_packet(bytes.substr(0, packet))) {
      return std::unexpected(wrong(what));
    }
    bytes.remove_prefix(packet);
    ++sequence_;
    ++completed;
  }
  head_.assign(bytes);
  return completed;
}

}  // namespace hawser::bench
