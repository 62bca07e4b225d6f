// One timer for all: every heart beats in its turn, and what the broker sends is counted.
#include <bench/load/clock.hpp>
#include <bench/load/fleet.hpp>
#include <bench/load/usage.hpp>
#include <bench/stomp/idle_crowd.hpp>
#include <bench/stomp/peer.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace hawser::bench {

namespace {

class Crowd {
 public:
  Crowd(const Broker& broker, const CrowdPlan& plan)
      : broker_(broker), plan_(plan), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  Result<CrowdResult> run() {
    if (auto enough = check_descriptors(plan_.connections, "idle"); !enough)
      return std::unexpected(enough.error());
    CrowdResult result;
    result.memory_before = memory();
    const auto beat = std::chrono::duration_cast<std::chrono::milliseconds>(plan_.heart_beat);
    begun_ = now();
    while (peers_.size() < plan_.connections) {
      auto peer = Peer::open(broker_, static_cast<unsigned>(peers_.size()),
                             static_cast<unsigned>(beat.count()), 10s);
      if (!peer) return std::unexpected(peer.error());
      epoll_event event = {};
      event.events = EPOLLIN;
      event.data.u64 = peers_.size();
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, peer->fd(), &event) != 0)
        return std::unexpected(system_error(errno, "idle", "watch a connection"));
      peers_.push_back(std::move(*peer));
      if (auto turned = turn(0); !turned) return std::unexpected(turned.error());
    }
    // A whole interval without a login, so that everybody beats.
    if (auto passed = pass(plan_.heart_beat / 2); !passed) return std::unexpected(passed.error());
    result.memory_after = memory();
    const auto cpu = cpu_usage(broker_.pid);
    const std::uint64_t beats = beats_;
    const Instant from = now();
    // Who came together beats together: less than some intervals would show a crest or a trough.
    const Duration measured = std::max(plan_.length, 2 * plan_.heart_beat);
    if (auto passed = pass(measured); !passed) return std::unexpected(passed.error());
    const double length = to_seconds(now() - from);
    const auto after = cpu_usage(broker_.pid);
    if (!cpu || !after)
      return std::unexpected(Error{ErrorKind::closed, 0, "idle", "the broker has ended"});
    result.share = to_seconds(after->total - cpu->total) / length;
    result.beats_per_second = static_cast<double>(beats_ - beats) / length;
    return result;
  }

 private:
  std::uint64_t memory() const {
    const auto usage = memory_usage(broker_.pid);
    return usage ? usage->anonymous : 0;
  }

  Result<void> pass(Duration length) {
    const Instant end = now() + length;
    while (now() < end)
      if (auto turned = turn(5); !turned) return turned;
    return {};
  }

  /// Hearts that are due beat; what has come is read.
  Result<void> turn(int wait_ms) {
    // Each beats every 4/5 of what was promised, one after another.
    const double due = to_seconds(now() - begun_) / (to_seconds(plan_.heart_beat) * 0.8) *
                       static_cast<double>(peers_.size());
    std::uint64_t burst = 0;
    while (static_cast<double>(sent_) < due && burst++ < peers_.size()) {
      const char beat = '\n';
      if (::send(peers_[next_++ % peers_.size()].fd(), &beat, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
          errno != EAGAIN)
        return std::unexpected(system_error(errno, "idle", "a heart-beat"));
      ++sent_;
    }
    std::array<epoll_event, 256> events;
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms);
    for (int i = 0; i < count; ++i) {
      std::array<char, 256> piece;
      const std::uint64_t index = events[static_cast<std::size_t>(i)].data.u64;
      const ssize_t got = recv(peers_[index].fd(), piece.data(), piece.size(), 0);
      if (got > 0) {
        beats_ += static_cast<std::uint64_t>(std::count(piece.begin(), piece.begin() + got, '\n'));
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        return std::unexpected(
            Error{ErrorKind::closed, 0, "idle", fmt::format("connection {} was closed", index)});
      }
    }
    return {};
  }

  const Broker& broker_;
  const CrowdPlan& plan_;
  Descriptor epoll_;
  std::vector<Peer> peers_{};
  Instant begun_{};
  std::uint64_t sent_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t beats_ = 0;
};

}  // namespace

Result<CrowdResult> measure_crowd(const Broker& broker, const CrowdPlan& plan) {
  return Crowd(broker, plan).run();
}

}  // namespace hawser::bench
