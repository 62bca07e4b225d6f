// Reading and showing STOMP URLs.
#include <hawser/stomp/url.hpp>

#include <hawser/stomp/detail/decimal.hpp>
#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace hawser::stomp {
namespace {

std::unexpected<Error> bad(std::string what) {
  return std::unexpected(
      Error{ErrorKind::invalid_argument, 0, "URL",
            fmt::format("{}; the form is stomp://[login[:passcode]@]host[:port][/vhost]", what)});
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Nothing when a % is not followed by two hexadecimal digits, or for a NUL or LF.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0' || c == '\n') return std::nullopt;
    out += c;
  }
  return out;
}

struct SchemeName {
  std::string_view text;
  Url::Scheme scheme;
  std::uint16_t port;
};
constexpr std::array<SchemeName, 6> schemes{{
    {"stomp://", Url::Scheme::stomp, default_port},
    {"stomp+tls://", Url::Scheme::stomp_tls, default_tls_port},
    {"stomps://", Url::Scheme::stomp_tls, default_tls_port},
    {"ws://", Url::Scheme::websocket, 80},
    {"wss://", Url::Scheme::websocket_tls, 443},
    {"unix://", Url::Scheme::unix_socket, 0},
}};

std::string encoded(std::string_view text, std::string_view more = {}) {
  std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  plain += more;
  std::string out;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  const auto scheme = std::ranges::find_if(
      schemes, [&](const SchemeName& each) { return text.starts_with(each.text); });
  if (scheme == schemes.end()) {
    // What stands before the colon may be a passcode typed without the scheme: it is not repeated.
    return bad("no stomp:// at the beginning");
  }
  std::string_view rest = text.substr(scheme->text.size());
  Url url;
  url.scheme = scheme->scheme;
  url.port = scheme->port;
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  // The last '@' before the path: one within a passcode is forgiven.
  const std::size_t at = authority.rfind('@');
  // A '/' within a passcode is not, and then what looks like host and port may be a part of it.
  const bool secret = at == std::string_view::npos && rest.find('@') != std::string_view::npos;
  if (at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const std::size_t colon = user.find(':');
    url.login = decoded(user.substr(0, colon));
    if (!url.login) return bad("the login has a bad % escape, a NUL or a line end");
    if (colon != std::string_view::npos) {
      url.passcode = decoded(user.substr(colon + 1));
      if (!url.passcode) return bad("the passcode has a bad % escape, a NUL or a line end");
    }
  }
  if (url.scheme == Scheme::unix_socket) {
    if (!authority.empty()) return bad("a Unix socket has no host: unix:///path/of/socket");
    const auto path = slash == std::string_view::npos ? std::nullopt : decoded(rest.substr(slash));
    if (!path || path->size() < 2) return bad("there is no path of a socket");
    url.path = *path;
    return url;
  }
  if (url.websocket()) {
    url.path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
    const auto unfit = [](unsigned char c) { return c <= ' ' || c >= 0x7f; };
    if (std::ranges::any_of(url.path, unfit)) return bad("a character in the path needs a %");
  } else if (slash != std::string_view::npos && slash + 1 < rest.size()) {
    url.vhost = decoded(rest.substr(slash + 1));
    if (!url.vhost) return bad("the virtual host has a bad % escape, a NUL or a line end");
  }

  std::size_t host_end = authority.find(':');
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return bad("the '[' of the address is not closed");
    url.host = authority.substr(1, bracket - 1);
    host_end = bracket + 1;
    if (host_end < authority.size() && authority[host_end] != ':')
      return bad("something other than a port follows the ']'");
    if (host_end == authority.size()) host_end = std::string_view::npos;
  } else {
    url.host = authority.substr(0, host_end);
  }
  if (url.host.empty()) return bad("there is no host");
  const auto odd = [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '%' || c == '@'; };
  if (std::ranges::any_of(url.host, odd) && !authority.starts_with('['))
    return bad(secret ? "a '/' before the '@' must be written %2F"
                      : fmt::format("{} is no host", quoted(url.host)));
  if (host_end != std::string_view::npos) {
    const auto port = detail::parse_decimal(authority.substr(host_end + 1));
    if ((!port || *port == 0 || *port > 65535) && secret)
      return bad("a '/' before the '@' must be written %2F");
    if (!port || *port == 0 || *port > 65535)
      return bad(fmt::format("{} is no port (1 to 65535)", quoted(authority.substr(host_end + 1))));
    url.port = static_cast<std::uint16_t>(*port);
  }
  return url;
}

std::string Url::target() const {
  if (scheme == Scheme::unix_socket) return "unix:" + path;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

std::string Url::text() const {
  std::string out(
      std::ranges::find(schemes, scheme, [](const SchemeName& each) { return each.scheme; })->text);
  if (login) {
    out += encoded(*login);
    if (passcode) out += ":***";
    out += '@';
  }
  if (scheme == Scheme::unix_socket) return out + encoded(path, "/");
  out += target();
  if (websocket()) out += path;
  if (vhost) out += '/' + encoded(*vhost);
  return out;
}

}  // namespace hawser::stomp
