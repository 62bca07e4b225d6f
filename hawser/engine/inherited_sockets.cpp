// Descriptors by number, and what systemd says of them.
#include <hawser/engine/detail/passed_sockets.hpp>
#include <hawser/engine/detail/sockaddr.hpp>
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/inherited_sockets.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace hawser {

namespace {

constexpr int first_descriptor = 3;
constexpr int most_descriptors = 4096;

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): see the header
  std::string kept = value == nullptr ? "" : value;
  ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe): see the header
  return kept;
}

Error invalid(std::string detail) {
  return {ErrorKind::invalid_argument, 0, "socket activation", std::move(detail)};
}

bool read_number(std::string_view digits, int& number) {
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, number);
  return !digits.empty() && code == std::errc{} && stop == end && number >= 0;
}

std::vector<std::string> split_names(std::string_view names) {
  std::vector<std::string> all;
  if (names.empty()) return all;
  for (;;) {
    const std::size_t colon = names.find(':');
    all.emplace_back(names.substr(0, colon));
    if (colon == names.npos) return all;
    names.remove_prefix(colon + 1);
  }
}

}  // namespace

ServiceEnvironment take_service_environment() {
  ServiceEnvironment environment;
  environment.listen_pid = take_variable("LISTEN_PID");
  environment.listen_fds = take_variable("LISTEN_FDS");
  environment.listen_fdnames = take_variable("LISTEN_FDNAMES");
  environment.notify_socket = take_variable("NOTIFY_SOCKET");
  return environment;
}

Result<std::vector<InheritedSocket>> systemd_sockets(const ServiceEnvironment& environment,
                                                     int pid) {
  std::vector<InheritedSocket> sockets;
  if (environment.listen_pid.empty() && environment.listen_fds.empty()) return sockets;
  int meant = 0, count = 0;
  if (!read_number(environment.listen_pid, meant)) {
    return std::unexpected(
        invalid(fmt::format("LISTEN_PID is \"{}\", no process id", environment.listen_pid)));
  }
  // A parent that was activated and did not remove its variables: they are not for us.
  if (meant != pid) return sockets;
  if (!read_number(environment.listen_fds, count) || count > most_descriptors) {
    return std::unexpected(invalid(fmt::format("LISTEN_FDS is \"{}\", no number from 0 to {}",
                                               environment.listen_fds, most_descriptors)));
  }
  const std::vector<std::string> names = split_names(environment.listen_fdnames);
  if (!names.empty() && names.size() != static_cast<std::size_t>(count)) {
    return std::unexpected(invalid(
        fmt::format("LISTEN_FDNAMES has {} names for {} descriptors", names.size(), count)));
  }
  for (int i = 0; i < count; ++i) {
    const auto place = static_cast<std::size_t>(i);
    std::string name = names.empty() || names[place].empty() ? "unknown" : names[place];
    auto socket = inherited_descriptor(first_descriptor + i);
    if (!socket) {
      for (InheritedSocket& taken : sockets) taken.socket.release();  // as it was
      Error error = std::move(socket).error();
      error.operation = "socket activation";
      error.detail = fmt::format("socket \"{}\": {}", name, error.detail);
      return std::unexpected(std::move(error));
    }
    socket->name = std::move(name);
    sockets.push_back(*std::move(socket));
  }
  return sockets;
}

Result<InheritedSocket> inherited_descriptor(int number) {
  if (number < first_descriptor) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "inherit socket",
              fmt::format("descriptor {}: 0, 1 and 2 are the standard streams", number)});
  }
  if (::fcntl(number, F_GETFD) < 0) {
    return std::unexpected(Error{ErrorKind::invalid_argument, errno, "inherit socket",
                                 fmt::format("descriptor {} is not open in this program", number)});
  }
  StreamOptions unchanged;
  unchanged.no_delay = false;  // its server sets what it wants
  ListenOptions options;
  options.accepted = unchanged;
  auto bound = detail::prepare_listening_socket(number, options);
  if (!bound) {
    Error error = std::move(bound).error();
    error.kind = ErrorKind::invalid_argument;
    error.operation = "inherit socket";
    return std::unexpected(std::move(error));
  }
  InheritedSocket socket;
  socket.name = fmt::format("fd:{}", number);
  socket.address = *std::move(bound);
  socket.socket = NativeSocket(number, detail::descriptor_closer());
  return socket;
}

std::uint32_t effective_user() noexcept { return ::geteuid(); }

Result<void> notify_service(const ServiceEnvironment& environment, std::string_view state) {
  constexpr const char* operation = "notify service";
  const std::string& path = environment.notify_socket;
  if (path.empty()) return {};
  if (!path.starts_with('/') && !path.starts_with('@')) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, operation,
              fmt::format("NOTIFY_SOCKET is \"{}\", neither a path nor an abstract name", path)});
  }
  const auto target = detail::to_sockaddr(Address::unix_path(path));
  if (!target) return std::unexpected(target.error());
  const NativeSocket socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                            detail::descriptor_closer());
  if (!socket) return std::unexpected(system_error(errno, operation));
  if (::sendto(socket.number(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               target->get(), target->length) < 0) {
    return std::unexpected(system_error(errno, operation, path));
  }
  return {};
}

}  // namespace hawser
