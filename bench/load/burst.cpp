// The burst: every connection sends as fast as the server takes it, and reads its echo meanwhile.
#include <bench/load/burst.hpp>
#include <bench/load/clock.hpp>
#include <bench/load/fleet.hpp>
#include <bench/load/packets.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <vector>

namespace hawser::bench {

namespace {

struct Burst {
  const BurstPlan& plan;
  std::vector<Fellow>& fleet;
  std::vector<EchoChecker> checkers{};
  std::vector<char> room = std::vector<char>(256 * 1024);
  std::size_t open = 0;

  Result<void> run() {
    const Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return std::unexpected(system_error(errno, "burst"));
    open = fleet.size();
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      checkers.emplace_back(static_cast<std::uint32_t>(i), plan.payload);
      if (auto watched =
              watch(epoll.get(), fleet[i].socket.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, i);
          !watched) {
        return watched;
      }
    }
    Bytes packet;
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      packet.clear();
      PacketSource(static_cast<std::uint32_t>(i), plan.payload).append_next(packet);
      if (auto sent = fleet[i].stream.send(packet); !sent) return sent;
    }
    std::array<epoll_event, 256> events;
    Instant progress = now();
    while (open != 0) {
      const int count =
          epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), 100);
      if (count < 0 && errno != EINTR) return std::unexpected(system_error(errno, "burst"));
      if (count > 0) progress = now();
      if (now() - progress > plan.stall)
        return std::unexpected(
            Error{ErrorKind::timeout, 0, "burst", fmt::format("{} echoes never came", open)});
      for (int i = 0; i < count; ++i) {
        if (auto moved = move(events[static_cast<std::size_t>(i)].data.u64); !moved) return moved;
      }
    }
    return {};
  }

  Result<void> move(std::size_t index) {
    if (auto flushed = fleet[index].stream.flush(); !flushed) return flushed;
    for (bool drained = false; !drained;) {
      const auto got = fleet[index].stream.receive(room, drained);
      if (!got) return std::unexpected(got.error());
      const auto echoed = checkers[index].take({room.data(), *got});
      if (!echoed) return std::unexpected(echoed.error());
      open -= *echoed;
    }
    return {};
  }
};

}  // namespace

double BurstResult::ratio() const noexcept {
  return idle.anonymous == 0
             ? 0
             : static_cast<double>(after.anonymous) / static_cast<double>(idle.anonymous);
}

Result<BurstResult> run_burst(const BurstPlan& plan) {
  if (plan.pid == 0 || plan.connections == 0 || plan.payload > longest_payload) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "burst",
                                 "needs a pid, connections and a payload of at most 65535 bytes"});
  }
  if (auto enough = check_descriptors(plan.connections, "burst"); !enough)
    return std::unexpected(enough.error());
  BurstResult result;
  const TlsClients clients;
  std::vector<Fellow> fleet;
  FleetPlan opening;
  opening.server = plan.server;
  opening.count = plan.connections;
  opening.greet = true;
  opening.stall = plan.stall;
  auto done = open_streams(opening, plan.wire, clients, fleet);
  if (done) done = quiet_memory(plan.pid, plan.settle, result.idle);
  if (done) done = Burst{plan, fleet}.run();
  poll(nullptr, 0, static_cast<int>(plan.silence / 1ms));
  if (done) done = quiet_memory(plan.pid, plan.settle, result.after);
  abort_streams(fleet);
  if (!done) return std::unexpected(done.error());
  return result;
}

}  // namespace hawser::bench
