// One scan a name or value: what needs no escape, nearly everything, is appended whole.
#include <hawser/stomp/encoder.hpp>

#include <hawser/stomp/detail/scan.hpp>
#include <hawser/stomp/escape.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace hawser::stomp {

HeadWriter::HeadWriter(Bytes& out, Version version, Command command, EncodeOptions options)
    : out_(out),
      start_(out.size()),
      options_(options),
      version_(version),
      command_(command),
      escapes_(version != Version::v1_0 && escapes_headers(command)) {
  if (command == Command::unknown) trouble_ = Trouble::unknown_command;
  out_ += to_string(command);
  out_ += '\n';
}

HeadWriter& HeadWriter::add(BytesView name, BytesView value) {
  if (trouble_ != Trouble::none || name == "content-length") return *this;
  if (name.empty()) {
    trouble_ = Trouble::empty_name;
    return *this;
  }
  const bool name_good = put(name, true);
  out_ += ':';
  if (!name_good || !put(value, false)) {
    trouble_ = Trouble::octet;
    culprit_ = name;
  }
  out_ += '\n';
  return *this;
}

bool HeadWriter::put(BytesView text, bool is_name) {
  const char* const end = text.data() + text.size();
  const char* at = detail::find_special(text.data(), end);
  if (at == end) {
    out_ += text;
    return true;
  }
  for (; at != end; at = detail::find_special(at + 1, end)) {
    const bool sendable = escapes_ ? *at != '\0' && (*at != '\r' || version_ == Version::v1_2)
                                   : *at == '\\' || (*at == ':' && !is_name);
    if (!sendable) {
      octet_ = *at;
      return false;
    }
  }
  if (escapes_) {
    append_escaped(out_, text, version_);
  } else {
    out_ += text;
  }
  return true;
}

Result<void> HeadWriter::finish(BytesView body) {
  Bytes reason;
  switch (trouble_) {
    case Trouble::none:
      break;
    case Trouble::unknown_command:
      reason = "a frame needs one of STOMP's commands";
      break;
    case Trouble::empty_name:
      reason = "a header needs a name";
      break;
    case Trouble::octet:
      reason = fmt::format("the octet {} in header {} cannot be sent in {} of STOMP {}",
                           quoted({&octet_, 1}), quoted(culprit_), to_string(command_),
                           to_string(version_));
      break;
  }
  if (reason.empty() && !body.empty()) {
    if (!options_.any_body && !may_carry_body(command_)) {
      reason = fmt::format("{} must not have a body", to_string(command_));
    } else if (options_.content_length) {
      char digits[20];
      const auto written = std::to_chars(digits, digits + sizeof digits, body.size());
      out_ += "content-length:";
      out_.append(digits, written.ptr);
      out_ += '\n';
    } else if (body.find('\0') != BytesView::npos) {
      reason = "a body with a NUL octet cannot be sent without content-length";
    }
  }
  if (!reason.empty()) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "encode", std::move(reason)});
  }
  out_ += '\n';
  finished_ = true;
  return {};
}

namespace {
Result<void> write_head(Bytes& out, const Frame& frame, Version version, EncodeOptions options) {
  HeadWriter head(out, version, frame.command, options);
  for (const Header& header : frame.headers) head.add(header.name, header.value);
  return head.finish(frame.body.view());
}
}  // namespace

Result<void> encode(Bytes& out, const Frame& frame, Version version, EncodeOptions options) {
  if (auto done = write_head(out, frame, version, options); !done) return done;
  out += frame.body.view();
  out += frame_end;
  return {};
}

Result<void> encode(Bytes& out, std::span<const Frame> frames, Version version,
                    EncodeOptions options) {
  const std::size_t start = out.size();
  if (frames.empty()) out += heartbeat_octet;
  for (const Frame& frame : frames) {
    if (auto done = encode(out, frame, version, options); !done) {
      out.resize(start);
      return done;
    }
  }
  return {};
}

Result<Bytes> encode_head(const Frame& frame, Version version, EncodeOptions options) {
  Bytes head;
  if (auto done = write_head(head, frame, version, options); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return head;
}

}  // namespace hawser::stomp
