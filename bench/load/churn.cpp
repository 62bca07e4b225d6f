// Accept, one packet, close, over and over.
#include <bench/load/closed_loop.hpp>
#include <bench/load/fleet.hpp>
#include <bench/load/interval.hpp>
#include <bench/load/packets.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <vector>

namespace hawser::bench {

namespace {

struct Slot {
  Descriptor socket;
  EchoChecker checker;
  Instant begun;
  bool connected = false;
  Bytes unsent;
};

class Churn {
 public:
  explicit Churn(const LoadPlan& plan) : plan_(plan), interval_(plan) {}

  Result<LoadResult> run() {
    if (plan_.connections == 0 || plan_.payload > longest_payload) {
      return std::unexpected(Error{ErrorKind::invalid_argument, 0, "load",
                                   "connections start at 1, payloads end at 65535"});
    }
    raise_descriptor_limit();
    epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return std::unexpected(system_error(errno, "load"));
    slots_.reserve(plan_.connections);
    for (std::uint32_t i = 0; i < plan_.connections; ++i) {
      slots_.push_back({Descriptor(), EchoChecker(0, plan_.payload), Instant(), false, {}});
      if (auto begun = begin(i); !begun) return std::unexpected(begun.error());
    }
    std::array<epoll_event, 512> events;
    Instant progress = now();
    while (!(interval_.draining() && open_ == 0)) {
      const int count =
          epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 20);
      if (count < 0 && errno != EINTR) return std::unexpected(system_error(errno, "load"));
      for (int i = 0; i < count; ++i) {
        const auto index = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
        if (auto moved = move(index); !moved) return std::unexpected(moved.error());
      }
      const Instant at = now();
      if (count > 0) progress = at;
      if (at - progress > plan_.stall) {
        return std::unexpected(Error{ErrorKind::timeout, 0, "load",
                                     fmt::format("{} connections were never served", open_)});
      }
      if (auto advanced = interval_.advance(at); !advanced) {
        return std::unexpected(advanced.error());
      }
    }
    return interval_.take();
  }

 private:
  Result<void> begin(std::size_t index) {
    Slot& slot = slots_[index];
    const std::uint32_t number = ++begun_;
    slot.begun = now();
    auto socket = start_connect(plan_.server, number);
    if (!socket) return std::unexpected(socket.error());
    slot.socket = std::move(*socket);
    slot.checker = EchoChecker(number, plan_.payload);
    slot.connected = false;
    slot.unsent.clear();
    PacketSource(number, plan_.payload).append_next(slot.unsent);
    ++open_;
    return watch(epoll_.get(), slot.socket.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, index);
  }

  Result<void> move(std::size_t index) {
    Slot& slot = slots_[index];
    if (!slot.socket) return {};
    const int fd = slot.socket.get();
    if (!slot.connected) {
      if (const int code = socket_error(fd); code != 0) {
        return std::unexpected(system_error(code, "load", "connect"));
      }
      slot.connected = true;
    }
    if (!slot.unsent.empty()) {
      const ssize_t sent = send(fd, slot.unsent.data(), slot.unsent.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        return std::unexpected(system_error(errno, "load", "send"));
      }
      if (sent > 0) slot.unsent.erase(0, static_cast<std::size_t>(sent));
    }
    while (true) {
      const ssize_t got = recv(fd, buffer_.data(), buffer_.size(), 0);
      if (got < 0 && errno == EAGAIN) return {};
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        return std::unexpected(system_error(got == 0 ? ECONNRESET : errno, "load", "receive"));
      }
      const auto echoed = slot.checker.take({buffer_.data(), static_cast<std::size_t>(got)});
      if (!echoed) return std::unexpected(echoed.error());
      if (*echoed == 0) continue;
      interval_.echo(slot.begun, now());
      slot.socket.reset();
      --open_;
      if (interval_.draining()) return {};
      return begin(index);
    }
  }

  const LoadPlan& plan_;
  Interval interval_;
  Descriptor epoll_;
  std::vector<Slot> slots_;
  std::uint32_t begun_ = 0;
  std::uint64_t open_ = 0;
  std::vector<char> buffer_ = std::vector<char>(64 * 1024);
};

}  // namespace

Result<LoadResult> run_churn(const LoadPlan& plan) { return Churn(plan).run(); }

}  // namespace hawser::bench
