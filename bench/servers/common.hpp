// What the servers of the comparison share: the command line, the listening socket, the ready line
// and the walk over length-prefixed packets. Internal to bench/servers; each server is one thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace hawser::bench {

/// A packet is a 2-byte big-endian length and that many bytes.
constexpr std::size_t prefix_bytes = 2;
constexpr std::size_t longest_packet = prefix_bytes + 65535;

/// Pending connections a server lets the kernel hold; the kernel caps it at net.core.somaxconn.
constexpr int listen_backlog = 4096;

/// A connection whose peer does not read is not read from either while this much is unsent.
constexpr std::size_t unsent_limit = 256 * 1024;

[[noreturn]] inline void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

[[noreturn]] inline void die(const char* what, int code) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(code));
  std::exit(1);
}

/// How many of `size` bytes are whole packets.
inline std::size_t whole_packets(const char* bytes, std::size_t size) {
  std::size_t at = 0;
  while (size - at >= prefix_bytes) {
    const auto high = static_cast<unsigned char>(bytes[at]);
    const auto low = static_cast<unsigned char>(bytes[at + 1]);
    const std::size_t length = prefix_bytes + (static_cast<std::size_t>(high) << 8 | low);
    if (size - at < length) break;
    at += length;
  }
  return at;
}

/// Ends the program at SIGTERM or SIGINT (there is nothing to save), takes writes to closed sockets
/// as errors and raises the number of descriptors to what the system allows.
inline void prepare_process() {
  struct sigaction end = {};
  end.sa_handler = [](int) { _exit(0); };
  sigaction(SIGTERM, &end, nullptr);
  sigaction(SIGINT, &end, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

struct Address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

/// Reads `--listen HOST:PORT` (an IPv4 address; port 0 lets the system choose) and the
/// `--mode echo|accept-close`, which needs nothing from a server since the client closes.
inline Address read_command_line(int count, char** words) {
  Address address;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--listen" && i + 1 < count) {
      const std::string text = words[++i];
      const auto colon = text.rfind(':');
      char* end = nullptr;
      const char* digits = colon == std::string::npos ? "" : text.c_str() + colon + 1;
      const auto port = std::strtoul(digits, &end, 10);
      if (*digits == '\0' || *end != '\0' || port > 65535) {
        std::fprintf(stderr, "--listen wants HOST:PORT\n");
        std::exit(2);
      }
      address.host = text.substr(0, colon);
      address.port = static_cast<std::uint16_t>(port);
    } else if (word == "--mode" && i + 1 < count) {
      const std::string_view mode = words[++i];
      if (mode != "echo" && mode != "accept-close") {
        std::fprintf(stderr, "--mode is echo or accept-close\n");
        std::exit(2);
      }
    } else {
      std::fprintf(stderr, "usage: %s [--listen HOST:PORT] [--mode echo|accept-close]\n", words[0]);
      std::exit(2);
    }
  }
  return address;
}

/// A listening socket. TCP_NODELAY on it is inherited by every socket accepted from it, which saves
/// a system call per connection. `type_flags` may hold SOCK_NONBLOCK.
inline int open_listener(const Address& address, int type_flags) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
  if (fd < 0) die("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_port = htons(address.port);
  if (inet_pton(AF_INET, address.host.c_str(), &where.sin_addr) != 1) {
    std::fprintf(stderr, "--listen wants an IPv4 address, not %s\n", address.host.c_str());
    std::exit(2);
  }
  if (bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) die("bind");
  if (listen(fd, listen_backlog) != 0) die("listen");
  return fd;
}

/// The one line that tells the runner where to connect and whose CPU time to read.
inline void announce(const std::string& host, unsigned port) {
  std::printf("ready packet=%s:%u pid=%d\n", host.c_str(), port, static_cast<int>(getpid()));
  std::fflush(stdout);
}

inline void announce(int listener) {
  sockaddr_in where = {};
  socklen_t size = sizeof where;
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&where), &size) != 0) die("getsockname");
  char host[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &where.sin_addr, host, sizeof host);
  announce(host, ntohs(where.sin_port));
}

}  // namespace hawser::bench
