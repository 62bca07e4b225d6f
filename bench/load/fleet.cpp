// Connecting in waves.
#include <bench/load/clock.hpp>
#include <bench/load/fleet.hpp>
#include <bench/load/packets.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

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

Result<void> greet(Fellow& fellow, std::uint32_t index, const FleetPlan& plan,
                   std::span<char> room) {
  PacketSource source(index, plan.payload);
  EchoChecker checker(index, plan.payload);
  Bytes packet;
  source.append_next(packet);
  if (auto sent = fellow.stream.send(packet); !sent) return sent;
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(plan.stall);
  while (checker.seen() == 0) {
    pollfd waiting = {fellow.socket.get(), POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(limit.count())) == 0)
      return std::unexpected(
          Error{ErrorKind::timeout, 0, "open connections", "the server is silent"});
    bool drained = false;
    const auto got = fellow.stream.receive(room, drained);
    if (!got) return std::unexpected(got.error());
    if (auto taken = checker.take({room.data(), *got}); !taken)
      return std::unexpected(taken.error());
  }
  return {};
}

}  // namespace

Result<void> open_streams(const FleetPlan& plan, Wire wire, const TlsClients& clients,
                          std::vector<Fellow>& fleet) {
  FleetPlan sockets_plan = plan;
  const bool one_by_one = plan.greet && wire != Wire::plain;
  sockets_plan.greet = plan.greet && !one_by_one;
  sockets_plan.count = plan.count - std::min(plan.count, static_cast<unsigned>(fleet.size()));
  std::vector<Descriptor> sockets;
  std::vector<char> room(one_by_one ? 256 * 1024 : 0);
  // In waves: a server may give up a handshake that does not begin.
  const unsigned wave = wire == Wire::plain ? sockets_plan.count : 1000;
  for (unsigned left = sockets_plan.count; left != 0;) {
    sockets_plan.count = std::min(left, wave);
    left -= sockets_plan.count;
    if (auto opened = open_fleet(sockets_plan, sockets); !opened) return opened;
    for (Descriptor& socket : sockets) {
      auto stream = Stream::open(wire, clients, socket.get(), plan.stall);
      if (!stream) return std::unexpected(stream.error());
      fleet.push_back({std::move(socket), std::move(*stream)});
      if (!one_by_one) continue;
      const auto index = static_cast<std::uint32_t>(fleet.size() - 1);
      if (auto greeted = greet(fleet.back(), index, plan, room); !greeted) return greeted;
    }
    sockets.clear();
  }
  return {};
}

void abort_streams(std::vector<Fellow>& fleet) noexcept {
  std::vector<Descriptor> sockets;
  sockets.reserve(fleet.size());
  for (Fellow& fellow : fleet) sockets.push_back(std::move(fellow.socket));
  fleet.clear();
  abort_fleet(sockets);
}

Result<void> check_descriptors(unsigned connections, const char* operation) {
  constexpr unsigned own = 64;  // what a program needs beside its connections
  const std::uint64_t limit = raise_descriptor_limit();
  if (connections + own <= limit) return {};
  return std::unexpected(Error{
      ErrorKind::exhausted, 0, operation,
      fmt::format("{} connections, but only {} descriptors are allowed", connections, limit)});
}

Result<void> open_fleet(const FleetPlan& plan, std::vector<Descriptor>& fleet) {
  return Opening(plan, fleet).run();
}

}  // namespace hawser::bench
