// The packets the load generator sends and how it knows its own again: each carries its connection
// and its number, so that a lost, doubled, swapped, foreign or altered echo is found. Public; plain
// values, one thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstddef>
#include <cstdint>

namespace hawser::bench {

constexpr std::size_t prefix_bytes = 2;
constexpr std::size_t longest_payload = 65535;

/// The packets of one connection. Payloads of 8 bytes and more begin with a tag (connection and
/// sequence number, 4 bytes each, big-endian) and go on with bytes that follow from it; shorter
/// ones are the last bytes of a mixture of both.
class PacketSource {
 public:
  /// `payload` is at most longest_payload.
  PacketSource(std::uint32_t connection, std::size_t payload) noexcept
      : connection_(connection), payload_(payload) {}

  /// Appends the next packet, prefix included.
  void append_next(Bytes& out);
  /// Packets made so far.
  std::uint64_t made() const noexcept { return sequence_; }
  std::size_t packet_size() const noexcept { return prefix_bytes + payload_; }

 private:
  std::uint32_t connection_;
  std::size_t payload_;
  std::uint64_t sequence_ = 0;
};

/// Checks the echoes of one PacketSource, given in pieces of any size.
class EchoChecker {
 public:
  EchoChecker(std::uint32_t connection, std::size_t payload) noexcept
      : connection_(connection), payload_(payload) {}

  /// Takes received bytes; answers how many packets they completed. A wrong length or content is a
  /// protocol_error that names the connection and packet; the checker is not to be used after it.
  Result<std::size_t> take(BytesView bytes);

  /// Packets seen whole so far.
  std::uint64_t seen() const noexcept { return sequence_; }
  /// Bytes of an unfinished packet.
  std::size_t pending() const noexcept { return head_.size(); }

 private:
  Error wrong(const char* what) const;
  bool right(BytesView payload) const noexcept;

  std::uint32_t connection_;
  std::size_t payload_;
  std::uint64_t sequence_ = 0;
  Bytes head_;
};

}  // namespace hawser::bench
