// Error kinds by name, and the map from errno to them.
#include <hawser/base/result.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace hawser {

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::invalid_argument:
      return "invalid argument";
    case ErrorKind::not_found:
      return "not found";
    case ErrorKind::already_exists:
      return "already exists";
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::closed:
      return "closed";
    case ErrorKind::timeout:
      return "timeout";
    case ErrorKind::overloaded:
      return "overloaded";
    case ErrorKind::exhausted:
      return "exhausted";
    case ErrorKind::protocol_error:
      return "protocol error";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::failed:
      return "failed";
  }
  return "failed";
}

std::string Error::text() const {
  if (operation.empty()) return detail.empty() ? std::string(to_string(kind)) : detail;
  if (detail.empty()) return fmt::format("{}: {}", operation, to_string(kind));
  return fmt::format("{}: {}", operation, detail);
}

namespace {
ErrorKind kind_of(int code) noexcept {
  switch (code) {
    case EINVAL:
    case EBADF:
    case EFAULT:
    case ENOTSOCK:
    case EADDRNOTAVAIL:
    case EDESTADDRREQ:
    case ENAMETOOLONG:
    case EMSGSIZE:
      return ErrorKind::invalid_argument;
    case ENOENT:
    case ESRCH:
    case ENXIO:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return ErrorKind::not_found;
    case EADDRINUSE:
    case EEXIST:
    case EISCONN:
    case EALREADY:
      return ErrorKind::already_exists;
    case ECONNREFUSED:
    case EACCES:
    case EPERM:
      return ErrorKind::refused;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
      return ErrorKind::closed;
    case ETIMEDOUT:
      return ErrorKind::timeout;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
      return ErrorKind::exhausted;
    case EPROTO:
      return ErrorKind::protocol_error;
    case EOPNOTSUPP:
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ENOPROTOOPT:
      return ErrorKind::unsupported;
    case ECANCELED:
      return ErrorKind::cancelled;
    default:
      return ErrorKind::failed;
  }
}
}  // namespace

Error system_error(int code, std::string operation, std::string detail) {
  const char* name = strerrorname_np(code);
  std::string words = fmt::format(
      "{} ({})", strerrordesc_np(code) == nullptr ? "unknown error" : strerrordesc_np(code),
      name == nullptr ? std::to_string(code) : name);
  if (!detail.empty()) words = fmt::format("{}: {}", detail, words);
  return {kind_of(code), code, std::move(operation), std::move(words)};
}

}  // namespace hawser
