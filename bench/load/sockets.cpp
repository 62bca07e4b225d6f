// Sockets, limits and CPU masks for the load generator.
#include <bench/load/sockets.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace hawser::bench {

namespace {
constexpr unsigned source_addresses = 250;

bool ipv4(const std::string& host, in_addr& out) {
  return inet_pton(AF_INET, host.c_str(), &out) == 1;
}
}  // namespace

void Descriptor::reset() noexcept {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto bad = [&] {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "parse address",
                                 fmt::format("\"{}\" is no IPv4-address:port", text)});
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  Endpoint endpoint;
  endpoint.host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto [rest, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
  in_addr unused = {};
  if (error != std::errc{} || rest != digits.data() + digits.size()) return bad();
  if (!ipv4(endpoint.host, unused)) return bad();
  return endpoint;
}

Result<Descriptor> start_connect(const Endpoint& to, unsigned source) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return std::unexpected(system_error(errno, "connect"));
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(to.port);
  if (!ipv4(to.host, peer.sin_addr)) {
    return std::unexpected(system_error(EINVAL, "connect", to.host));
  }
  if ((ntohl(peer.sin_addr.s_addr) >> 24) == 127) {
    // The port is chosen at connect, so that it need only be unique together with the peer.
    setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in own = {};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl((127U << 24) + 1 + source % source_addresses);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
      return std::unexpected(system_error(errno, "connect", "bind the source address"));
    }
  }
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0 &&
      errno != EINPROGRESS) {
    return std::unexpected(system_error(errno, "connect", fmt::format("{}:{}", to.host, to.port)));
  }
  return socket;
}

int socket_error(int fd) noexcept {
  int code = 0;
  socklen_t size = sizeof code;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) return errno;
  return code;
}

std::uint64_t raise_descriptor_limit() noexcept {
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

CpuPin::CpuPin(int cpu) noexcept {
  if (cpu < 0 || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(cpu), &only);
  pinned_ = sched_setaffinity(0, sizeof only, &only) == 0;
}

CpuPin::~CpuPin() {
  if (pinned_) sched_setaffinity(0, sizeof before_, &before_);
}

int usable_cpus() noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return CPU_COUNT(&allowed);
}

}  // namespace hawser::bench
