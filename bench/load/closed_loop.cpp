// The closed loop over long-lived connections.
#include <bench/load/closed_loop.hpp>
#include <bench/load/fleet.hpp>
#include <bench/load/interval.hpp>
#include <bench/load/packets.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace hawser::bench {

double LoadResult::packets_per_second() const noexcept {
  const double length = to_seconds(elapsed);
  return length > 0 ? static_cast<double>(packets) / length : 0;
}

double LoadResult::server_microseconds() const noexcept {
  return packets == 0 ? 0 : to_seconds(server.total) * 1e6 / static_cast<double>(packets);
}

namespace {

struct Connection {
  Fellow fellow;
  PacketSource source;
  EchoChecker checker;
  std::vector<Instant> sent_at;  // of the packets in flight, by sequence number modulo the depth
};

class ClosedLoop {
 public:
  explicit ClosedLoop(const LoadPlan& plan) : plan_(plan), interval_(plan) {}

  Result<LoadResult> run() {
    if (auto opened = open(); !opened) return std::unexpected(opened.error());
    interval_.restart();
    for (Connection& connection : connections_) {
      if (auto sent = send_packets(connection, plan_.depth, now()); !sent) {
        return std::unexpected(sent.error());
      }
    }
    std::array<epoll_event, 512> events;
    Instant progress = now();
    while (!(interval_.draining() && in_flight_ == 0)) {
      const int count =
          epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 20);
      if (count < 0 && errno != EINTR) return std::unexpected(system_error(errno, "load"));
      for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        if (auto moved = move(connections_[event.data.u64], event.events); !moved) {
          return std::unexpected(moved.error());
        }
      }
      const Instant at = now();
      if (count > 0) progress = at;
      if (at - progress > plan_.stall) {
        return std::unexpected(
            Error{ErrorKind::timeout, 0, "load", fmt::format("{} echoes never came", in_flight_)});
      }
      if (auto advanced = interval_.advance(at); !advanced) {
        return std::unexpected(advanced.error());
      }
    }
    for (const Connection& connection : connections_) {
      if (connection.source.made() != connection.checker.seen() ||
          connection.checker.pending() != 0) {
        return std::unexpected(
            Error{ErrorKind::protocol_error, 0, "load", "more or fewer echoes than packets"});
      }
    }
    return interval_.take();
  }

 private:
  Result<void> open() {
    if (plan_.connections == 0 || plan_.depth == 0 || plan_.payload > longest_payload) {
      return std::unexpected(Error{ErrorKind::invalid_argument, 0, "load",
                                   "connections and depth start at 1, payloads end at 65535"});
    }
    epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return std::unexpected(system_error(errno, "load"));
    std::vector<Fellow> fleet;
    FleetPlan opening;
    opening.server = plan_.server;
    opening.count = plan_.connections;
    opening.stall = plan_.stall;
    if (auto opened = open_streams(opening, plan_.wire, tls_clients_, fleet); !opened)
      return opened;
    connections_.reserve(fleet.size());
    for (Fellow& fellow : fleet) {
      const auto index = static_cast<std::uint32_t>(connections_.size());
      connections_.push_back({std::move(fellow), PacketSource(index, plan_.payload),
                              EchoChecker(index, plan_.payload),
                              std::vector<Instant>(plan_.depth)});
      if (auto watched = watch(epoll_.get(), connections_.back().fellow.socket.get(),
                               EPOLLIN | EPOLLOUT | EPOLLRDHUP, index);
          !watched) {
        return watched;
      }
    }
    return {};
  }

  Result<void> send_packets(Connection& connection, std::size_t count, Instant at) {
    scratch_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      connection.sent_at[connection.source.made() % plan_.depth] = at;
      connection.source.append_next(scratch_);
    }
    in_flight_ += count;
    return connection.fellow.stream.send(scratch_);
  }

  Result<void> move(Connection& connection, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
      if (auto flushed = connection.fellow.stream.flush(); !flushed) return flushed;
    }
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return {};
    while (true) {
      bool drained = false;
      const auto received = connection.fellow.stream.receive(buffer_, drained);
      if (!received) return std::unexpected(received.error());
      const std::size_t size = *received;
      if (size == 0) return {};
      const std::uint64_t first = connection.checker.seen();
      const auto echoed = connection.checker.take({buffer_.data(), size});
      if (!echoed) return std::unexpected(echoed.error());
      if (connection.checker.seen() > connection.source.made()) {
        return std::unexpected(
            Error{ErrorKind::protocol_error, 0, "load", "an echo of nothing that was sent"});
      }
      const Instant at = now();
      for (std::size_t i = 0; i < *echoed; ++i) {
        interval_.echo(connection.sent_at[(first + i) % plan_.depth], at);
      }
      in_flight_ -= *echoed;
      if (*echoed != 0 && !interval_.draining()) {
        if (auto sent = send_packets(connection, *echoed, at); !sent) return sent;
      }
      // A short read has emptied the socket; what comes later is a new edge, and so is an end.
      if (drained && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return {};
    }
  }

  const LoadPlan& plan_;
  Interval interval_;
  Descriptor epoll_;
  TlsClients tls_clients_;
  std::vector<Connection> connections_;
  std::uint64_t in_flight_ = 0;
  Bytes scratch_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

}  // namespace

Result<LoadResult> run_closed_loop(const LoadPlan& plan) { return ClosedLoop(plan).run(); }

}  // namespace hawser::bench
