// Looking things up in a block of header fields.
#include <hawser/net/websocket/http.hpp>

#include <hawser/base/bytes.hpp>

#include <algorithm>

namespace hawser {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view left, std::string_view right) noexcept {
  return std::ranges::equal(left, right, {}, lower, lower);
}

/// Calls `visit(name, value)` for each field until it answers false.
template <class Visit>
void each(std::string_view block, const Visit& visit) {
  while (!block.empty()) {
    const std::size_t end = block.find('\n');
    const std::string_view line = block.substr(0, end);
    const std::size_t colon = line.find(':');
    if (!visit(line.substr(0, colon), line.substr(colon + 2))) return;
    block.remove_prefix(end + 1);
  }
}

}  // namespace

std::string_view HttpFields::header(std::string_view name) const noexcept {
  std::string_view found;
  each(block_, [&](std::string_view field, std::string_view value) {
    if (!same(field, name)) return true;
    found = value;
    return false;
  });
  return found;
}

std::size_t HttpFields::count(std::string_view name) const noexcept {
  std::size_t count = 0;
  each(block_, [&](std::string_view field, std::string_view) {
    count += same(field, name) ? 1U : 0U;
    return true;
  });
  return count;
}

std::string HttpFields::joined(std::string_view name) const {
  std::string all;
  each(block_, [&](std::string_view field, std::string_view value) {
    if (!same(field, name)) return true;
    if (!all.empty()) all += ", ";
    all += value;
    return true;
  });
  return all;
}

std::vector<std::pair<std::string_view, std::string_view>> HttpFields::all() const {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  each(block_, [&](std::string_view field, std::string_view value) {
    fields.emplace_back(field, value);
    return true;
  });
  return fields;
}

bool HttpFields::has_token(std::string_view name, std::string_view token) const noexcept {
  bool found = false;
  each(block_, [&](std::string_view field, std::string_view value) {
    if (!same(field, name)) return true;
    while (!found) {
      const std::size_t comma = value.find(',');
      found = same(trimmed(value.substr(0, comma)), token);
      if (comma == std::string_view::npos) break;
      value.remove_prefix(comma + 1);
    }
    return !found;
  });
  return found;
}

std::string_view HttpRequest::path() const noexcept {
  std::string_view path = target_;
  if (const std::size_t scheme = path.find("://");
      scheme != std::string_view::npos && path.find_first_of("/?") > scheme) {
    path.remove_prefix(scheme + 3);
    const std::size_t slash = path.find_first_of("/?");
    if (slash == std::string_view::npos || path[slash] == '?') return "/";
    path.remove_prefix(slash);
  }
  return path.substr(0, path.find('?'));
}

std::string_view HttpRequest::query() const noexcept {
  const std::size_t mark = target_.find('?');
  return mark == std::string::npos ? std::string_view{}
                                   : std::string_view(target_).substr(mark + 1);
}

std::string_view http_status_text(int status) noexcept {
  switch (status) {
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return {};
  }
}

}  // namespace hawser
