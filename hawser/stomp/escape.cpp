// Both directions in one scan. Most headers have nothing to escape: runs of plain octets are found
// first and copied whole.
#include <hawser/stomp/escape.hpp>

#include <hawser/stomp/detail/scan.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

namespace hawser::stomp {

namespace {
/// What `\c` stands for in `version`, or -1 when it is not defined there.
int escaped_octet(char c, Version version) noexcept {
  switch (c) {
    case '\\':
      return '\\';
    case 'c':
      return ':';
    case 'n':
      return '\n';
    case 'r':
      return version == Version::v1_2 ? '\r' : -1;
    default:
      return -1;
  }
}
}  // namespace

std::size_t find_undefined_escape(BytesView text, Version version) noexcept {
  if (version == Version::v1_0) return BytesView::npos;
  std::size_t at = text.find('\\');
  while (at != BytesView::npos) {
    if (at + 1 == text.size() || escaped_octet(text[at + 1], version) < 0) return at;
    at = text.find('\\', at + 2);
  }
  return BytesView::npos;
}

void append_unescaped(Bytes& out, BytesView text, Version version) {
  if (version == Version::v1_0) {
    out += text;
    return;
  }
  for (;;) {
    const std::size_t at = text.find('\\');
    out += text.substr(0, at);
    if (at == BytesView::npos) return;
    text.remove_prefix(at);
    const int octet = text.size() > 1 ? escaped_octet(text[1], version) : -1;
    if (octet >= 0) {
      out += static_cast<char>(octet);
    } else {
      out += text.substr(0, 2);
    }
    text.remove_prefix(text.size() > 1 ? 2 : 1);
  }
}

Result<Bytes> unescape(BytesView text, Version version, UndefinedEscape undefined) {
  if (undefined == UndefinedEscape::refuse) {
    const std::size_t at = find_undefined_escape(text, version);
    if (at != BytesView::npos) {
      return std::unexpected(Error{ErrorKind::protocol_error, 0, "unescape",
                                   fmt::format("undefined escape {} in STOMP {}",
                                               quoted(text.substr(at, 2)), to_string(version))});
    }
  }
  Bytes out;
  append_unescaped(out, text, version);
  return out;
}

void append_escaped(Bytes& out, BytesView text, Version version) {
  if (version == Version::v1_0) {
    out += text;
    return;
  }
  const char* from = text.data();
  const char* const end = from + text.size();
  for (;;) {
    const char* const special = detail::find_special(from, end);
    out.append(from, static_cast<std::size_t>(special - from));
    if (special == end) return;
    switch (*special) {
      case '\\':
        out += "\\\\";
        break;
      case ':':
        out += "\\c";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        if (version == Version::v1_2) {
          out += "\\r";
        } else {
          out += '\r';
        }
        break;
      default:
        out += *special;
        break;  // NUL, which find_unsendable refuses
    }
    from = special + 1;
  }
}

Result<Bytes> escape(BytesView text, Version version) {
  const std::size_t at = find_unsendable(text, version);
  if (at != BytesView::npos) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "escape",
                                 fmt::format("STOMP {} cannot carry the octet {} in a header",
                                             to_string(version), quoted(text.substr(at, 1)))});
  }
  Bytes out;
  append_escaped(out, text, version);
  return out;
}

std::size_t find_unsendable(BytesView text, Version version) noexcept {
  switch (version) {
    case Version::v1_0:
      return text.find_first_of(BytesView{"\0\r\n", 3});
    case Version::v1_1:
      return text.find_first_of(BytesView{"\0\r", 2});
    case Version::v1_2:
      return text.find('\0');
  }
  return BytesView::npos;
}

BytesView trim_padding(BytesView value) noexcept {
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  return value;
}

}  // namespace hawser::stomp
