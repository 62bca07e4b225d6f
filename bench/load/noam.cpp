// The lemmas' side, byte by byte: the host's connections back to us are all accepted on one port.
#include <bench/load/fleet.hpp>
#include <bench/load/interval.hpp>
#include <bench/load/noam.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::bench {

namespace {

constexpr std::size_t number_size = 12;

std::string framed(std::string_view json) { return fmt::format("{:06}{}", json.size(), json); }

Error failed(ErrorKind kind, std::string what) { return {kind, 0, "noam load", std::move(what)}; }

class Lemmas {
 public:
  explicit Lemmas(const LoadPlan& plan) : plan_(plan), interval_(plan) {}

 protected:
  Result<void> begin() {
    if (plan_.connections == 0 || plan_.depth == 0)
      return std::unexpected(
          failed(ErrorKind::invalid_argument, "connections and depth start at 1"));
    if (auto enough = check_descriptors(2 * plan_.connections + 2, "noam load"); !enough)
      return std::unexpected(enough.error());
    epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    door_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in own = {};
    own.sin_family = AF_INET;
    socklen_t size = sizeof own;
    if (!epoll_ || !door_ ||
        bind(door_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        listen(door_.get(), 4096) != 0 ||
        getsockname(door_.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
      return std::unexpected(system_error(errno, "noam load"));
    door_port_ = ntohs(own.sin_port);
    return {};
  }

  /// Registers them one after another, and waits for the host's connection to each.
  Result<void> enter(const std::string& name, std::string_view hears, std::string_view options) {
    auto socket = start_connect(plan_.server, static_cast<unsigned>(out_.size()));
    if (!socket) return std::unexpected(socket.error());
    pollfd writable{socket->get(), POLLOUT, 0};
    if (poll(&writable, 1, 10'000) != 1 || socket_error(socket->get()) != 0)
      return std::unexpected(failed(ErrorKind::refused, "the host does not take connections"));
    const std::string text = framed(fmt::format(R"(["register","{}",{},{},[],"bench","1"{}])", name,
                                                door_port_, hears, options));
    if (::send(socket->get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size()))
      return std::unexpected(system_error(errno, "noam load", "register"));
    pollfd comes{door_.get(), POLLIN, 0};
    if (poll(&comes, 1, 10'000) != 1)
      return std::unexpected(failed(ErrorKind::timeout, "the host does not call back"));
    Descriptor back(accept4(door_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!back) return std::unexpected(system_error(errno, "noam load", "accept"));
    if (auto watched = watch(epoll_.get(), back.get(), EPOLLIN | EPOLLRDHUP, in_.size()); !watched)
      return watched;
    in_.push_back(std::move(back));
    out_.push_back(*std::move(socket));
    return {};
  }

  /// Everything that has come to one of them; `take` gets it in pieces.
  template <class Take>
  Result<void> read(std::size_t index, const Take& take) {
    for (;;) {
      const ssize_t got = recv(in_[index].get(), buffer_.data(), buffer_.size(), 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
      if (got < 0) return std::unexpected(system_error(errno, "noam load"));
      if (got == 0) return std::unexpected(failed(ErrorKind::closed, "the host has hung up"));
      const auto size = static_cast<std::size_t>(got);
      if (auto taken = take(std::string_view(buffer_.data(), size)); !taken) return taken;
      if (size < buffer_.size()) return {};
    }
  }

  template <class Take>
  Result<std::size_t> turn(int wait_milliseconds, const Take& take) {
    std::array<epoll_event, 512> events;
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_milliseconds);
    if (count < 0 && errno != EINTR) return std::unexpected(system_error(errno, "noam load"));
    for (int i = 0; i < count; ++i) {
      const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
      if (index >= in_.size()) continue;
      auto done = read(index, [&](std::string_view bytes) { return take(index, bytes); });
      if (!done) return std::unexpected(done.error());
    }
    return static_cast<std::size_t>(std::max(count, 0));
  }

  const LoadPlan& plan_;
  Interval interval_;
  Descriptor epoll_;
  Descriptor door_;
  std::uint16_t door_port_ = 0;
  std::vector<Descriptor> out_;
  std::vector<Descriptor> in_;
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

class Events final : private Lemmas {
 public:
  using Lemmas::Lemmas;

  Result<LoadResult> run() {
    if (auto begun = begin(); !begun) return std::unexpected(begun.error());
    for (unsigned i = 0; i < plan_.connections; ++i) {
      if (auto entered = enter(fmt::format("hearer{}", i), R"(["t"])", ""); !entered)
        return std::unexpected(entered.error());
    }
    if (auto entered = enter("speaker", "[]", ""); !entered)
      return std::unexpected(entered.error());
    hearers_.resize(plan_.connections);
    const std::size_t filler =
        plan_.payload > number_size + 2 ? plan_.payload - number_size - 2 : 0;
    const std::string sample =
        framed(fmt::format(R"(["event","speaker","t","{}{}"])", std::string(number_size, '0'),
                           std::string(filler, 'x')));
    number_at_ = sample.find(std::string(number_size, '0'), 6 + 10);
    frame_ = sample;
    sent_at_.resize(plan_.depth);
    interval_.restart();
    Instant progress = now();
    const std::uint64_t all = plan_.connections;
    for (;;) {
      if (interval_.draining() && heard_ == played_ * all) return interval_.take();
      if (!interval_.draining()) {
        while (played_ < heard_ / all + plan_.depth) play();
      }
      if (auto flushed = flush(); !flushed) return std::unexpected(flushed.error());
      const auto moved =
          turn(1, [&](std::size_t index, std::string_view bytes) { return hear(index, bytes); });
      if (!moved) return std::unexpected(moved.error());
      const Instant at = now();
      if (*moved != 0) progress = at;
      if (at - progress > plan_.stall)
        return std::unexpected(failed(ErrorKind::timeout, "events have not arrived"));
      if (auto advanced = interval_.advance(at); !advanced)
        return std::unexpected(advanced.error());
    }
  }

 private:
  struct Hearer {
    std::uint64_t seen = 0;
    std::string part;  // of a frame that is not whole yet
  };

  void write_number(std::uint64_t number) {
    for (std::size_t i = number_size; i-- > 0; number /= 10)
      frame_[number_at_ + i] = static_cast<char>('0' + number % 10);
  }
  void play() {
    sent_at_[played_ % plan_.depth] = now();
    write_number(played_++);
    unsent_ += frame_;
  }
  Result<void> flush() {
    if (unsent_.empty()) return {};
    const ssize_t sent =
        ::send(out_.back().get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return std::unexpected(system_error(errno, "noam load"));
    if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
    return {};
  }
  Result<void> hear(std::size_t index, std::string_view bytes) {
    if (index >= hearers_.size())
      return std::unexpected(failed(ErrorKind::protocol_error, "the speaker was sent something"));
    Hearer& hearer = hearers_[index];
    const Instant at = now();
    while (!bytes.empty()) {
      std::string_view one = bytes.substr(0, frame_.size() - hearer.part.size());
      bytes.remove_prefix(one.size());
      if (!hearer.part.empty() || one.size() < frame_.size()) {
        hearer.part += one;
        if (hearer.part.size() < frame_.size()) return {};
        one = hearer.part;
      }
      write_number(hearer.seen);
      if (one != frame_)
        return std::unexpected(failed(ErrorKind::protocol_error, "not the event that was played"));
      hearer.part.clear();
      interval_.echo(sent_at_[hearer.seen % plan_.depth], at);
      ++hearer.seen;
      ++heard_;
    }
    return {};
  }

  std::vector<Hearer> hearers_;
  std::string frame_;
  std::size_t number_at_ = 0;
  std::string unsent_;
  std::vector<Instant> sent_at_;
  std::uint64_t played_ = 0;
  std::uint64_t heard_ = 0;
};

class Beats final : private Lemmas {
 public:
  Beats(const LoadPlan& plan, Duration beat) : Lemmas(plan), beat_(beat) {}

  Result<LoadResult> run() {
    if (auto begun = begin(); !begun) return std::unexpected(begun.error());
    const std::string options =
        fmt::format(R"(,{{"heartbeat":{},"heartbeat_ack":true}})", to_seconds(beat_));
    std::vector<std::string> frames;
    Instant due = now();
    const Duration gap = beat_ / static_cast<Duration::rep>(plan_.connections);
    std::uint64_t sent = 0;
    // Those that are registered beat while the others come, or the host would drop them.
    const auto send_due = [&]() -> Result<void> {
      for (; due <= now(); due = due + gap, ++sent) {
        const std::size_t index = sent % plan_.connections;
        if (index >= out_.size()) continue;
        const std::string& frame = frames[index];
        if (::send(out_[index].get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
          return std::unexpected(system_error(errno, "noam load", "heart-beat"));
      }
      return {};
    };
    const auto take = [&](std::size_t index, std::string_view bytes) -> Result<void> {
      const std::size_t whole = frames[index].size() + 4;  // "_ack"
      partial_[index] += bytes.size();
      for (; partial_[index] >= whole; partial_[index] -= whole) interval_.echo(now(), now());
      return {};
    };
    for (unsigned i = 0; i < plan_.connections; ++i) {
      const std::string name = fmt::format("lemma{}", i);
      if (auto entered = enter(name, R"(["t"])", options); !entered)
        return std::unexpected(entered.error());
      frames.push_back(framed(fmt::format(R"(["heartbeat","{}"])", name)));
      partial_.push_back(0);
      if (auto beaten = send_due(); !beaten) return std::unexpected(beaten.error());
      if (auto moved = turn(0, take); !moved) return std::unexpected(moved.error());
    }
    interval_.restart();
    while (!interval_.draining()) {
      if (auto beaten = send_due(); !beaten) return std::unexpected(beaten.error());
      if (auto moved = turn(1, take); !moved) return std::unexpected(moved.error());
      if (auto advanced = interval_.advance(now()); !advanced)
        return std::unexpected(advanced.error());
    }
    return interval_.take();
  }

 private:
  Duration beat_;
  std::vector<std::size_t> partial_;
};

}  // namespace

Result<LoadResult> run_noam_events(const LoadPlan& plan) { return Events(plan).run(); }
Result<LoadResult> run_noam_beats(const LoadPlan& plan, Duration beat) {
  return Beats(plan, beat).run();
}

}  // namespace hawser::bench
