// The framings beside the length prefix, and everything that is not on the hot path.
#include <hawser/net/framing.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {
namespace {

constexpr std::size_t longest_varint = 10;

std::size_t bounded(std::size_t asked, std::uint64_t expressible) noexcept {
  if (asked != 0) return asked;
  return static_cast<std::size_t>(std::min<std::uint64_t>(Framing::default_maximum, expressible));
}

std::uint64_t power_of_ten(unsigned digits) noexcept {
  std::uint64_t power = 1;
  for (unsigned i = 0; i < digits; ++i) power *= 10;
  return power;
}

/// What a prefix of `width` bytes can express.
std::uint64_t expressible_in(unsigned width) noexcept {
  return width >= 8 ? UINT64_MAX : (std::uint64_t{1} << (8U * width)) - 1;
}

std::unexpected<Error> wrong(std::string detail) {
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "framing", std::move(detail)});
}

}  // namespace

// ---- making
// --------------------------------------------------------------------------------------

Framing length_prefixed(unsigned width, LengthOptions options) {
  Framing framing(Framing::Kind::length, std::min(width, 9U),
                  bounded(options.maximum, expressible_in(width)));
  framing.order_ = options.order;
  return framing;
}

Framing varint_prefixed(LengthOptions options) {
  return {Framing::Kind::varint, 0, bounded(options.maximum, UINT64_MAX)};
}

Framing decimal_prefixed(unsigned digits, LengthOptions options) {
  const unsigned kept = std::min(digits, 19U);
  return {Framing::Kind::decimal, kept, bounded(options.maximum, power_of_ten(kept) - 1)};
}

Framing fixed_size(std::size_t size) { return {Framing::Kind::fixed, 0, size}; }

Framing line(LineOptions options) {
  Framing framing(Framing::Kind::line, 0, options.maximum);
  framing.strip_cr_ = options.strip_cr;
  framing.send_crlf_ = options.send_crlf;
  return framing;
}

Framing delimiter(std::string_view bytes, DelimiterOptions options) {
  Framing framing(Framing::Kind::delimiter, 0, options.maximum);
  framing.delimiter_ = bytes;
  return framing;
}

Framing raw() { return {Framing::Kind::raw, 0, SIZE_MAX}; }

Framing whole(std::size_t maximum) { return {Framing::Kind::whole, 0, maximum}; }

Framing custom(std::shared_ptr<const CustomFraming> framing) {
  Framing made(Framing::Kind::custom, 0, SIZE_MAX);
  made.custom_ = std::move(framing);
  return made;
}

Result<void> Framing::validate() const {
  switch (kind_) {
    case Kind::length:
      if (width_ != 1 && width_ != 2 && width_ != 4 && width_ != 8)
        return wrong("length_prefixed takes a width of 1, 2, 4 or 8 bytes");
      if (maximum_ > expressible_in(width_))
        return wrong(
            fmt::format("maximum {} does not fit into a length of {} bytes", maximum_, width_));
      break;
    case Kind::decimal:
      if (width_ < 1 || width_ > 18) return wrong("decimal_prefixed takes 1 to 18 digits");
      if (maximum_ > power_of_ten(width_) - 1)
        return wrong(fmt::format("maximum {} does not fit into {} digits", maximum_, width_));
      break;
    case Kind::fixed:
      if (maximum_ == 0) return wrong("fixed_size takes at least 1 byte");
      break;
    case Kind::line:
      if (maximum_ == 0) return wrong("maximum must be at least 1");
      break;
    case Kind::delimiter:
      if (delimiter_.empty() || delimiter_.size() > longest_delimiter)
        return wrong(fmt::format("delimiter takes 1 to {} bytes", longest_delimiter));
      if (maximum_ == 0) return wrong("maximum must be at least 1");
      break;
    case Kind::custom:
      if (custom_ == nullptr) return wrong("custom takes a framing, not null");
      break;
    case Kind::varint:
    case Kind::whole:
    case Kind::raw:
      break;
  }
  // Half of the address space: sums of a length and a header cannot wrap.
  if (maximum_ > SIZE_MAX / 2 && kind_ != Kind::raw && kind_ != Kind::custom)
    return wrong("maximum is beyond what this machine can address");
  return {};
}

std::string Framing::text() const {
  switch (kind_) {
    case Kind::length:
      return fmt::format("length_prefixed({}{})", width_,
                         order_ == ByteOrder::little ? ", little-endian" : "");
    case Kind::varint:
      return "varint_prefixed()";
    case Kind::decimal:
      return fmt::format("decimal_prefixed({})", width_);
    case Kind::fixed:
      return fmt::format("fixed_size({})", maximum_);
    case Kind::line:
      return "line()";
    case Kind::delimiter:
      return fmt::format("delimiter({} bytes)", delimiter_.size());
    case Kind::raw:
      return "raw()";
    case Kind::whole:
      return "whole()";
    case Kind::custom:
      return "custom()";
  }
  return {};
}

// ---- cutting
// ---------------------------------------------------------------------------------------

Cut Framing::cut_other(BytesView buffered, std::size_t scanned) const noexcept {
  switch (kind_) {
    case Kind::length:
      return cut_length(buffered);
    case Kind::varint:
      return cut_varint(buffered);
    case Kind::decimal:
      return cut_decimal(buffered);
    case Kind::fixed:
      return buffered.size() < maximum_ ? Cut::need_more(maximum_)
                                        : Cut::packet(0, maximum_, maximum_);
    case Kind::line:
      return cut_line(buffered, scanned);
    case Kind::delimiter:
      return cut_delimiter(buffered, scanned);
    case Kind::raw:
      return buffered.empty() ? Cut::need_more(1)
                              : Cut::packet(0, buffered.size(), buffered.size());
    case Kind::whole:
      if (buffered.size() > maximum_) return Cut::error();
      return buffered.empty() ? Cut::need_more(1)
                              : Cut::packet(0, buffered.size(), buffered.size());
    case Kind::custom: {
      if (buffered.empty()) return Cut::need_more(1);
      const Cut cut = custom_->cut(buffered, scanned);
      // A framing that takes nothing, or more than there is, would loop or read past the end.
      if (cut.kind == Cut::Kind::packet &&
          (cut.consumed == 0 || cut.consumed > buffered.size() || cut.offset > buffered.size() ||
           cut.size > buffered.size() - cut.offset))
        return Cut::error();
      if (cut.kind == Cut::Kind::need_more)
        return Cut::need_more(0, std::min(cut.scanned, buffered.size()));
      return cut;
    }
  }
  return Cut::error();
}

Cut Framing::cut_varint(BytesView buffered) const noexcept {
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < longest_varint; ++i) {
    if (i == buffered.size()) return Cut::need_more(i + 1);
    const auto byte = static_cast<unsigned char>(buffered[i]);
    if (i == longest_varint - 1 && byte > 1) return Cut::error();  // beyond 64 bits
    size |= static_cast<std::uint64_t>(byte & 0x7fU) << (7U * i);
    if (size > maximum_) return Cut::error();
    if ((byte & 0x80U) != 0) continue;
    const std::size_t head = i + 1;
    const std::size_t total = head + static_cast<std::size_t>(size);
    if (buffered.size() < total) return Cut::need_more(total);
    return Cut::packet(head, static_cast<std::size_t>(size), total);
  }
  return Cut::error();
}

Cut Framing::cut_decimal(BytesView buffered) const noexcept {
  std::uint64_t size = 0;
  const std::size_t there = std::min<std::size_t>(buffered.size(), width_);
  for (std::size_t i = 0; i < there; ++i) {
    if (buffered[i] < '0' || buffered[i] > '9') return Cut::error();
    size = size * 10 + static_cast<std::uint64_t>(buffered[i] - '0');
  }
  if (there < width_) return Cut::need_more(width_);
  if (size > maximum_) return Cut::error();
  const std::size_t total = width_ + static_cast<std::size_t>(size);
  if (buffered.size() < total) return Cut::need_more(total);
  return Cut::packet(width_, static_cast<std::size_t>(size), total);
}

Cut Framing::cut_line(BytesView buffered, std::size_t scanned) const noexcept {
  const std::size_t end = buffered.find('\n', scanned);
  if (end == BytesView::npos) {
    // One more byte than the limit may still be the CR of the end.
    return buffered.size() > maximum_ + (strip_cr_ ? 1 : 0) ? Cut::error()
                                                            : Cut::need_more(0, buffered.size());
  }
  const bool cr = strip_cr_ && end > 0 && buffered[end - 1] == '\r';
  const std::size_t size = end - (cr ? 1 : 0);
  return size > maximum_ ? Cut::error() : Cut::packet(0, size, end + 1);
}

Cut Framing::cut_delimiter(BytesView buffered, std::size_t scanned) const noexcept {
  const std::size_t end = buffered.find(delimiter_, scanned);
  if (end == BytesView::npos) {
    const std::size_t open = delimiter_.size() - 1;  // the last bytes may be its beginning
    if (buffered.size() > maximum_ + open) return Cut::error();
    return Cut::need_more(0, buffered.size() > open ? buffered.size() - open : 0);
  }
  return end > maximum_ ? Cut::error() : Cut::packet(0, end, end + delimiter_.size());
}

std::size_t Framing::reach(BytesView partial, BytesView next) const noexcept {
  std::size_t end = BytesView::npos;
  if (kind_ == Kind::line) {
    end = next.find('\n');
    if (end != BytesView::npos) ++end;
  } else if (kind_ == Kind::delimiter) {
    // The delimiter may begin in the one and end in the other: look at the seam first.
    char seam[2 * longest_delimiter];
    const std::size_t open = delimiter_.size() - 1;
    const std::size_t before = std::min(open, partial.size());
    const std::size_t after = std::min(open, next.size());
    partial.copy(seam, before, partial.size() - before);
    next.copy(seam + before, after);
    end = BytesView(seam, before + after).find(delimiter_);
    if (end != BytesView::npos) {
      end = end + delimiter_.size() - before;
    } else if ((end = next.find(delimiter_)) != BytesView::npos) {
      end += delimiter_.size();
    }
  }
  return std::min(end, next.size());
}

std::string Framing::fault(BytesView buffered) const {
  switch (kind_) {
    case Kind::length:
      return over_limit(read_length(buffered.data())).detail;
    case Kind::varint: {
      std::uint64_t size = 0;
      for (std::size_t i = 0; i < longest_varint - 1 && i < buffered.size(); ++i) {
        const auto byte = static_cast<unsigned char>(buffered[i]);
        size |= static_cast<std::uint64_t>(byte & 0x7fU) << (7U * i);
        if ((byte & 0x80U) == 0) return over_limit(size).detail;
      }
      return fmt::format("packet of at least {} bytes is over the limit of {} (maximum)", size,
                         maximum_);
    }
    case Kind::decimal: {
      std::uint64_t size = 0;
      for (const char digit : buffered.substr(0, width_)) {
        if (digit < '0' || digit > '9')
          return fmt::format("the length of a packet is no number of {} digits", width_);
        size = size * 10 + static_cast<std::uint64_t>(digit - '0');
      }
      return over_limit(size).detail;
    }
    case Kind::line:
      return fmt::format("line of more than {} bytes is over the limit (maximum)", maximum_);
    case Kind::delimiter:
      return fmt::format("packet of more than {} bytes is over the limit (maximum)", maximum_);
    case Kind::whole:
      return fmt::format("message of {} bytes is over the limit of {} (maximum)", buffered.size(),
                         maximum_);
    case Kind::custom: {
      const Cut cut = custom_->cut(buffered, 0);
      if (cut.kind == Cut::Kind::error) return custom_->fault(buffered);
      return "the custom framing cut a packet out of bytes that are not there";
    }
    case Kind::fixed:
    case Kind::raw:
      break;
  }
  return "broken framing";
}

// ---- sending
// ---------------------------------------------------------------------------------------

Error Framing::over_limit(std::uint64_t size) const {
  return {ErrorKind::overloaded, 0, "send",
          fmt::format("packet of {} bytes is over the limit of {} (maximum)", size, maximum_)};
}

bool Framing::holds_delimiter(BytesView payload) const noexcept {
  if (payload.find(delimiter_) != BytesView::npos) return true;
  // Also one that only comes about with the delimiter behind it: "ab" before "aba" reads "aba|ba".
  char seam[2 * longest_delimiter];
  const std::size_t before = std::min(delimiter_.size() - 1, payload.size());
  payload.copy(seam, before, payload.size() - before);
  delimiter_.copy(seam + before, delimiter_.size());
  return BytesView(seam, before + delimiter_.size()).find(delimiter_) != before;
}

/// Writes what stands before the payload; answers how many bytes that are.
Result<std::size_t> Framing::write_head(BytesView payload, char* head) const {
  if (kind_ == Kind::fixed) {
    if (payload.size() == maximum_) return 0;
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "send",
                                 fmt::format("packet of {} bytes where each has {} (fixed_size)",
                                             payload.size(), maximum_)});
  }
  if (payload.size() > maximum_) return std::unexpected(over_limit(payload.size()));
  switch (kind_) {
    case Kind::length:
      write_length(head, payload.size());
      return width_;
    case Kind::varint: {
      std::size_t used = 0;
      std::uint64_t left = payload.size();
      for (; left >= 0x80U; left >>= 7U) head[used++] = static_cast<char>((left & 0x7fU) | 0x80U);
      head[used++] = static_cast<char>(left);
      return used;
    }
    case Kind::decimal: {
      std::size_t left = payload.size();
      for (unsigned i = width_; i-- > 0; left /= 10) head[i] = static_cast<char>('0' + left % 10);
      return width_;
    }
    case Kind::line:
      if (payload.find('\n') != BytesView::npos)
        return std::unexpected(
            Error{ErrorKind::invalid_argument, 0, "send",
                  "a line must not contain a line feed: it would arrive as two"});
      return 0;
    case Kind::delimiter:
      if (holds_delimiter(payload))
        return std::unexpected(
            Error{ErrorKind::invalid_argument, 0, "send",
                  "a packet must not contain its delimiter: it would arrive as two"});
      return 0;
    case Kind::fixed:
    case Kind::raw:
    case Kind::whole:
    case Kind::custom:
      break;
  }
  return 0;
}

Result<void> Framing::encode_other(BytesView payload, SendQueue& queue) const {
  if (kind_ == Kind::custom) return custom_->encode(payload, queue);
  char head[32];
  const auto used = write_head(payload, head);
  if (!used) return std::unexpected(std::move(used.error()));
  queue.append(BytesView(head, *used));
  queue.append(payload);
  if (kind_ == Kind::line) queue.append(send_crlf_ ? BytesView("\r\n") : BytesView("\n"));
  if (kind_ == Kind::delimiter) queue.append(delimiter_);
  return {};
}

Result<void> Framing::encode(const Payload& payload, SendQueue& queue) const {
  if (kind_ == Kind::custom || payload.size() < SendQueue::reference_threshold)
    return encode(payload.view(), queue);
  char head[32];
  const auto used = write_head(payload.view(), head);
  if (!used) return std::unexpected(std::move(used.error()));
  queue.append(BytesView(head, *used));
  queue.append(payload);
  if (kind_ == Kind::line) queue.append(send_crlf_ ? BytesView("\r\n") : BytesView("\n"));
  if (kind_ == Kind::delimiter) queue.append(delimiter_);
  return {};
}

}  // namespace hawser
