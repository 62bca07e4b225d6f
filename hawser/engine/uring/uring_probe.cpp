// The probe: does a small part of everything the engine does, on a socket pair.
#include <hawser/engine/uring/detail/buffer_ring.hpp>
#include <hawser/engine/uring/detail/ring.hpp>
#include <hawser/engine/uring/uring_engine.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

namespace hawser::detail {

namespace {

struct Pair {
  int ends[2] = {-1, -1};
  ~Pair() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
};

/// "6.18" of "6.18.44-something".
std::string kernel_version() {
  utsname name{};
  if (::uname(&name) != 0) return "?";
  const std::string_view release = name.release;
  const std::size_t dot = release.find('.');
  const std::size_t end = release.find_first_not_of("0123456789", dot + 1);
  return std::string(release.substr(0, dot == std::string_view::npos ? dot : end));
}

}  // namespace

Result<std::string> probe_uring() {
  UringOptions options;
  options.submission_entries = 4;
  options.completion_entries = 16;
  options.buffer_bytes = 64;
  options.initial_buffers = 4;
  options.max_buffers = 8;

  BufferRing buffers;  // goes after the ring that lends it
  Ring ring;
  if (Result<void> opened = ring.open(options); !opened) return std::unexpected(opened.error());
  if (Result<void> opened = buffers.open(ring, options); !opened) {
    return std::unexpected(opened.error());
  }
  if (Result<void> enabled = ring.enable(); !enabled) return std::unexpected(enabled.error());

  Pair pair;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.ends) != 0) {
    return std::unexpected(system_error(errno, "io_uring", "making a socket pair for the probe"));
  }
  io_uring_sqe* entry = ring.next();
  io_uring_prep_recv_multishot(entry, pair.ends[0], nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = BufferRing::group;
  ring.enter(false, Duration::zero());
  for (int round = 0; round < 2; ++round) {
    if (::send(pair.ends[1], "x", 1, MSG_NOSIGNAL) != 1) {
      return std::unexpected(system_error(errno, "io_uring", "sending for the probe"));
    }
    ring.enter(true, 1s);
    const bool works = ring.ready() != 0 && ring.completion(0).res == 1 &&
                       (ring.completion(0).flags & IORING_CQE_F_BUFFER) != 0 &&
                       (ring.completion(0).flags & IORING_CQE_F_MORE) != 0;
    if (!works) {
      return std::unexpected(
          Error{ErrorKind::unsupported, 0, "io_uring", "this kernel has no multishot receive"});
    }
    ring.reaped(ring.ready());
  }
  return fmt::format("io_uring of kernel {}: multishot receive, buffer ring, deferred task run",
                     kernel_version());
}

}  // namespace hawser::detail
