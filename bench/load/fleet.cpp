// Connecting in waves.
#include <bench/load/clock.hpp>
#include <bench/load/fleet.hpp>
#include <bench/load/packets.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace hawser::bench {

Result<void> watch(int epoll, int fd, std::uint32_t events, std::uint64_t index) {
  epoll_event event = {};
  event.events = events | EPOLLET;
  event.data.u64 = index;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return std::unexpected(system_error(errno, "watch a connection"));
  }
  return {};
}

void abort_fleet(std::vector<Descriptor>& fleet) noexcept {
  const linger reset = {1, 0};
  for (const Descriptor& socket : fleet) {
    setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  fleet.clear();
}

namespace {

/// One connection on its way: connecting, then (when greeting) waiting for its echo.
class Opening {
 public:
  Opening(const FleetPlan& plan, std::vector<Descriptor>& fleet) : plan_(plan), fleet_(fleet) {}

  Result<void> run() {
    raise_descriptor_limit();
    epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return std::unexpected(system_error(errno, "open connections"));
    first_ = fleet_.size();
    fleet_.reserve(plan_.count);
    checkers_.reserve(plan_.count - std::min<std::size_t>(plan_.count, first_));
    std::array<epoll_event, 256> events;
    Instant progress = now();
    while (done_ + first_ < plan_.count) {
      while (fleet_.size() < plan_.count && fleet_.size() - first_ - done_ < plan_.at_once) {
        if (auto begun = begin(); !begun) return begun;
      }
      const int count =
          epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
      if (count < 0 && errno != EINTR) {
        return std::unexpected(system_error(errno, "open connections"));
      }
      if (count > 0) progress = now();
      if (now() - progress > plan_.stall) {
        return std::unexpected(Error{
            ErrorKind::timeout, 0, "open connections",
            fmt::format("nothing moved any more after {} of {}", done_ + first_, plan_.count)});
      }
      for (int i = 0; i < count; ++i) {
        if (auto moved = move(events[static_cast<std::size_t>(i)].data.u64); !moved) return moved;
      }
    }
    return {};
  }

 private:
  Result<void> begin() {
    auto socket = start_connect(plan_.server, static_cast<unsigned>(fleet_.size()));
    if (!socket) return std::unexpected(socket.error());
    fleet_.push_back(std::move(*socket));
    const std::size_t index = fleet_.size() - 1;
    checkers_.push_back({EchoChecker(static_cast<std::uint32_t>(index), plan_.payload)});
    return watch(epoll_.get(), fleet_[index].get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, index);
  }

  Result<void> move(std::uint64_t index) {
    State& state = checkers_[index - first_];
    const int fd = fleet_[index].get();
    if (state.open) return {};
    if (!state.connected) {
      if (const int code = socket_error(fd); code != 0) {
        return std::unexpected(
            system_error(code, "open connections", fmt::format("number {}", index)));
      }
      state.connected = true;
      if (!plan_.greet) return opened(fd, state);
      PacketSource source(static_cast<std::uint32_t>(index), plan_.payload);
      Bytes packet;
      source.append_next(packet);
      const ssize_t sent = send(fd, packet.data(), packet.size(), MSG_NOSIGNAL);
      if (sent != static_cast<ssize_t>(packet.size())) {
        return std::unexpected(system_error(errno, "open connections", "send the first packet"));
      }
    }
    std::array<char, 4096> bytes;
    while (true) {
      const ssize_t got = recv(fd, bytes.data(), bytes.size(), 0);
      if (got < 0 && errno == EAGAIN) return {};
      if (got <= 0) {
        return std::unexpected(system_error(got == 0 ? ECONNRESET : errno, "open connections",
                                            fmt::format("number {}", index)));
      }
      const auto echoed = state.checker.take({bytes.data(), static_cast<std::size_t>(got)});
      if (!echoed) return std::unexpected(echoed.error());
      if (*echoed != 0) return opened(fd, state);
    }
  }

  struct State {
    EchoChecker checker;
    bool connected = false;
    bool open = false;
  };

  Result<void> opened(int fd, State& state) {
    state.open = true;
    ++done_;
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    return {};
  }

  const FleetPlan& plan_;
  std::vector<Descriptor>& fleet_;
  Descriptor epoll_;
  std::vector<State> checkers_;
  std::size_t first_ = 0;
  std::size_t done_ = 0;
};

}  // namespace

Result<void> open_fleet(const FleetPlan& plan, std::vector<Descriptor>& fleet) {
  return Opening(plan, fleet).run();
}

}  // namespace hawser::bench
