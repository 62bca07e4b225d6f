// Small helpers of the load generator: addresses, owned descriptors, non-blocking connects from
// several source addresses, the descriptor limit and pinning to a CPU. Public; any thread.
#pragma once

#include <hawser/base/result.hpp>

#include <sched.h>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace hawser::bench {

/// A descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// An IPv4 address and port.
struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// "127.0.0.1:7007". Errors: invalid_argument.
Result<Endpoint> parse_endpoint(std::string_view text);

/// Starts a connection to `to` on a new non-blocking socket with TCP_NODELAY; writable means
/// connected. When `to` is a loopback address, `source` picks one of 250 source addresses
/// (127.0.0.1 to 127.0.0.250), each of which has its own ports. Errors: exhausted, refused, failed.
Result<Descriptor> start_connect(const Endpoint& to, unsigned source);

/// The error a connect or a broken socket ended with, 0 for none.
int socket_error(int fd) noexcept;

/// Raises the soft limit of descriptors to the hard one and answers it.
std::uint64_t raise_descriptor_limit() noexcept;

/// Keeps the calling thread on one CPU while it lives, and then where it was allowed before.
class CpuPin {
 public:
  /// `cpu` below 0 pins nothing.
  explicit CpuPin(int cpu) noexcept;
  CpuPin(const CpuPin&) = delete;
  CpuPin& operator=(const CpuPin&) = delete;
  ~CpuPin();

  /// False when the kernel refused (no such CPU, or not allowed).
  bool pinned() const noexcept { return pinned_; }

 private:
  bool pinned_ = false;
  cpu_set_t before_ = {};
};

/// CPUs the calling thread may run on.
int usable_cpus() noexcept;

}  // namespace hawser::bench
