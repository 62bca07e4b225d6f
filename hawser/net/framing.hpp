// Where a packet ends in a stream of bytes: a value that cuts packets out of what was received and
// puts the frame around what is sent. Public; pure functions over bytes, no I/O, any thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/engine/send_queue.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace hawser {

/// What stands at the front of the bytes received so far.
struct Cut {
  enum class Kind : std::uint8_t {
    packet,     ///< a whole packet: `offset`, `size`, `consumed`
    need_more,  ///< the beginning of one: `wanted`, `scanned`
    error,      ///< no packet can begin like this; Framing::fault says why. Nothing follows
  };
  Kind kind = Kind::need_more;
  std::size_t offset = 0;    ///< where the packet's bytes begin
  std::size_t size = 0;      ///< how many they are
  std::size_t consumed = 0;  ///< how many bytes the packet took with its frame
  std::size_t wanted = 0;    ///< bytes there must be before it is worth to cut again; 0 = not known
  std::size_t scanned = 0;   ///< of the bytes seen, so many need not be looked at again

  static constexpr Cut packet(std::size_t offset, std::size_t size, std::size_t consumed) noexcept {
    return {Kind::packet, offset, size, consumed, 0, 0};
  }
  static constexpr Cut need_more(std::size_t wanted, std::size_t scanned = 0) noexcept {
    return {Kind::need_more, 0, 0, 0, wanted, scanned};
  }
  static constexpr Cut error() noexcept { return {Kind::error, 0, 0, 0, 0, 0}; }
};

/// A framing of the user's own. Shared by all connections of a server on all threads: const and
/// without state. The connection adds the deadlines and the bound on unfinished packets.
class CustomFraming {
 public:
  virtual ~CustomFraming() = default;

  /// Looks at the front of `buffered` (never empty). `scanned` is what the last need_more for this
  /// packet said, 0 for a new one. Must give the same packets however the bytes were split.
  virtual Cut cut(BytesView buffered, std::size_t scanned) const = 0;
  /// Why cut() answered error for these bytes, for the reason and the log.
  virtual std::string fault(BytesView buffered) const = 0;
  /// Appends the framed payload. An error must leave the queue as it was.
  virtual Result<void> encode(BytesView payload, SendQueue& queue) const = 0;
};

enum class ByteOrder : std::uint8_t { big, little };

struct LengthOptions {
  /// Longest packet in bytes, both ways. 0 = 16 MiB, or what the prefix can express if that is
  /// less.
  std::size_t maximum = 0;
  ByteOrder order = ByteOrder::big;
};

struct LineOptions {
  std::size_t maximum = 65536;  ///< longest line in bytes, without its end, both ways
  bool strip_cr = true;         ///< a CR before the LF belongs to the line's end
  bool send_crlf = false;       ///< lines are sent with CR LF instead of LF
};

struct DelimiterOptions {
  std::size_t maximum = 65536;  ///< longest packet in bytes, without the delimiter, both ways
};

class Framing {
 public:
  static constexpr std::size_t default_maximum = std::size_t{16} << 20;
  static constexpr std::size_t longest_delimiter = 64;

  /// Cuts the front of `buffered`; `scanned` from the last need_more for the same packet saves
  /// looking twice at the same bytes. Never reads past `buffered`, never throws, never allocates.
  Cut cut(BytesView buffered, std::size_t scanned = 0) const noexcept {
    if (kind_ == Kind::length) [[likely]]
      return cut_length(buffered);
    return cut_other(buffered, scanned);
  }
  /// The short way of the connection's loop: moves a whole packet from the front of `buffered` to
  /// `packet`. False, with nothing changed, when there is none, or this framing knows no short way:
  /// cut() tells. A Cut is too large for registers, and reading back what was just stored in pieces
  /// costs more than the rest of the cut.
  bool take(BytesView& buffered, BytesView& packet) const noexcept {
    if (kind_ != Kind::length || buffered.size() < width_) return false;
    const std::uint64_t size = read_length(buffered.data());
    if (size > maximum_ || buffered.size() - width_ < size) return false;
    packet = BytesView(buffered.data() + width_, static_cast<std::size_t>(size));
    buffered.remove_prefix(width_ + static_cast<std::size_t>(size));
    return true;
  }
  /// Why cut() answered error; names the setting to change where there is one.
  std::string fault(BytesView buffered) const;

  /// How many bytes of `next` surely belong to the packet that `partial` (for which cut() says
  /// need_more and `wanted` 0) has begun; at least 1. Those behind it need not be copied.
  std::size_t reach(BytesView partial, BytesView next) const noexcept;

  /// Appends the payload with its frame. A payload that the framing cannot carry (over the limit,
  /// an LF within a line) is an error before one byte is queued.
  Result<void> encode(BytesView payload, SendQueue& queue) const {
    if (put(payload, queue)) [[likely]]
      return {};
    return encode_other(payload, queue);
  }
  /// The short way for a short packet. False, with nothing changed, when this framing or packet has
  /// none: encode() tells.
  bool put(BytesView payload, SendQueue& queue) const {
    if (kind_ != Kind::length || payload.size() > maximum_ ||
        payload.size() >= SendQueue::reference_threshold)
      return false;
    char* room = queue.prepare(width_ + payload.size());
    write_length(room, payload.size());
    if (!payload.empty()) std::memcpy(room + width_, payload.data(), payload.size());
    queue.commit(width_ + payload.size());
    return true;
  }
  /// The same; a long payload is sent from where it lies.
  Result<void> encode(const Payload& payload, SendQueue& queue) const;

  /// Longest packet in bytes; SIZE_MAX where the framing has no limit of its own (raw, custom).
  std::size_t maximum() const noexcept { return maximum_; }
  /// Packets are what the transport says they are.
  bool is_whole() const noexcept { return kind_ == Kind::whole; }
  /// The user's own (CustomFraming): its code may come from a shared object.
  bool is_custom() const noexcept { return kind_ == Kind::custom; }
  /// "length_prefixed(2)", for logs and the observer.
  std::string text() const;
  /// What is wrong with the arguments it was made of; for whoever checks options.
  Result<void> validate() const;

 private:
  enum class Kind : std::uint8_t {
    length,
    varint,
    decimal,
    fixed,
    line,
    delimiter,
    raw,
    whole,
    custom
  };
  friend Framing length_prefixed(unsigned width, LengthOptions options);
  friend Framing varint_prefixed(LengthOptions options);
  friend Framing decimal_prefixed(unsigned digits, LengthOptions options);
  friend Framing fixed_size(std::size_t size);
  friend Framing line(LineOptions options);
  friend Framing delimiter(std::string_view bytes, DelimiterOptions options);
  friend Framing raw();
  friend Framing whole(std::size_t maximum);
  friend Framing custom(std::shared_ptr<const CustomFraming> framing);
  Framing(Kind kind, unsigned width, std::size_t maximum) noexcept
      : kind_(kind), width_(static_cast<std::uint8_t>(width)), maximum_(maximum) {}

  // A loop over the prefix costs more than the rest of a small packet's cut: the most frequent
  // prefixes, two octets as of Erlang's {packet, 2} and four, are written out, one load for the
  // compiler.
  std::uint64_t read_length(const char* at) const noexcept {
    const auto octet = [at](unsigned i) {
      return std::uint64_t{static_cast<unsigned char>(at[i])};
    };
    if (order_ == ByteOrder::big) {
      if (width_ == 2) return octet(0) << 8U | octet(1);
      if (width_ == 4) return octet(0) << 24U | octet(1) << 16U | octet(2) << 8U | octet(3);
    }
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width_; ++i)
      value = value << 8U | octet(order_ == ByteOrder::big ? i : width_ - 1 - i);
    return value;
  }
  void write_length(char* at, std::uint64_t value) const noexcept {
    const auto set = [at](unsigned i, std::uint64_t octet) { at[i] = static_cast<char>(octet); };
    if (width_ == 2 && order_ == ByteOrder::big) {
      set(0, value >> 8U);
      set(1, value);
      return;
    }
    for (unsigned i = 0; i < width_; ++i)
      set(order_ == ByteOrder::big ? width_ - 1 - i : i, value >> (8U * i));
  }
  Cut cut_length(BytesView buffered) const noexcept {
    if (buffered.size() < width_) return Cut::need_more(width_);
    const std::uint64_t size = read_length(buffered.data());
    if (size > maximum_) [[unlikely]]
      return Cut::error();
    const std::size_t total = width_ + static_cast<std::size_t>(size);
    if (buffered.size() < total) return Cut::need_more(total);
    return Cut::packet(width_, static_cast<std::size_t>(size), total);
  }
  Cut cut_other(BytesView buffered, std::size_t scanned) const noexcept;
  Cut cut_varint(BytesView buffered) const noexcept;
  Cut cut_decimal(BytesView buffered) const noexcept;
  Cut cut_line(BytesView buffered, std::size_t scanned) const noexcept;
  Cut cut_delimiter(BytesView buffered, std::size_t scanned) const noexcept;
  Result<void> encode_other(BytesView payload, SendQueue& queue) const;
  Result<std::size_t> write_head(BytesView payload, char* head) const;
  bool holds_delimiter(BytesView payload) const noexcept;
  Error over_limit(std::uint64_t size) const;

  Kind kind_;
  std::uint8_t width_ = 0;  // bytes of the prefix, or its digits
  ByteOrder order_ = ByteOrder::big;
  bool strip_cr_ = false;
  bool send_crlf_ = false;
  std::size_t maximum_ = 0;
  std::string delimiter_;
  std::shared_ptr<const CustomFraming> custom_;  // shared for real: by connections and threads
};

/// A length of 1, 2, 4 or 8 bytes, then so many bytes.
Framing length_prefixed(unsigned width, LengthOptions options = {});
/// A length in seven-bit groups, least first (LEB128, at most 10 bytes), then so many bytes.
Framing varint_prefixed(LengthOptions options = {});
/// A length of exactly `digits` decimal digits (1 … 18, with leading zeros), then so many bytes.
Framing decimal_prefixed(unsigned digits, LengthOptions options = {});
/// Packets of exactly `size` bytes (at least 1).
Framing fixed_size(std::size_t size);
/// Text up to a line feed.
Framing line(LineOptions options = {});
/// Bytes up to a delimiter of 1 … 64 bytes.
Framing delimiter(std::string_view bytes, DelimiterOptions options = {});
/// Whatever arrives is a packet, in pieces as the network makes them.
Framing raw();
/// A packet is what the transport says: one WebSocket message, of at most `maximum` bytes both
/// ways. On a transport that keeps no packets it is raw().
Framing whole(std::size_t maximum = Framing::default_maximum);
/// The user's own; must not be null.
Framing custom(std::shared_ptr<const CustomFraming> framing);

}  // namespace hawser
