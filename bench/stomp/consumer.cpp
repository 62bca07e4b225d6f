// One epoll loop over all subscribers, one buffer for them.
#include <bench/load/clock.hpp>
#include <bench/stomp/consumer.hpp>
#include <bench/stomp/cutter.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace hawser::bench {

bool Arrivals::take(BytesView body) noexcept {
  std::array<char, number_digits> expected;
  if (every_) {
    write_number(expected.data(), count_);
    if (std::memcmp(body.data(), expected.data(), number_digits) != 0) return false;
  } else {
    const std::int64_t number = read_number(body.data());
    if (number < last_) return false;
    last_ = number;
  }
  if (std::memcmp(body.data() + number_digits, fill_.data(), fill_.size()) != 0) return false;
  ++count_;
  return true;
}

std::string Arrivals::wrong(BytesView body) const {
  if (body.substr(number_digits) != fill_) return "a body is not as it was sent";
  const std::string wanted =
      every_ ? fmt::format("{:08x}", count_) : fmt::format("at least {:08x}", last_);
  return fmt::format("out of order: {} was due, and {} came", wanted,
                     body.substr(0, number_digits));
}

namespace {

constexpr int consumer_look_ms = 50;
constexpr Duration silence_limit = 20s;  // without a message
constexpr std::size_t buffer_bytes = 512 * 1024;

class Consumer {
 public:
  Consumer(Board& board, int wake, std::vector<Peer>& peers, const ConsumerPlan& plan)
      : board_(board), wake_(wake), plan_(plan), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (Peer& peer : peers) {
      lines_.emplace_back(&peer, plan);
      epoll_event event = {};
      event.events = EPOLLIN;
      event.data.u64 = lines_.size() - 1;
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, peer.fd(), &event) != 0)
        board_.complain(system_error(errno, "watch a connection").text());
    }
  }

  void run() {
    Instant moved = now();
    while (board_.sound.load(std::memory_order_relaxed) && !complete()) {
      std::array<epoll_event, 128> events;
      const int count = epoll_wait(epoll_.get(), events.data(), events.size(), consumer_look_ms);
      for (int i = 0; i < count; ++i) read(lines_[events[static_cast<std::size_t>(i)].data.u64]);
      if (count > 0) {
        tell();
        moved = Instant{};
      } else if (moved == Instant{} || !board_.produced.load()) {
        moved = now();
      } else if (now() - moved > silence_limit) {
        board_.complain(fmt::format("only {} of {} deliveries have come", delivered_,
                                    board_.sent.load() * plan_.copies));
      }
    }
  }

  // What comes (see FrameSink), on line_.
  bool message(BytesView body) {
    if (line_->arrivals.take(body)) return true;
    board_.complain(line_->arrivals.wrong(body));
    return false;
  }
  void confirmed(BytesView) {}
  void failed(BytesView text) { board_.complain(text); }
  void other(BytesView frame) {
    constexpr BytesView answer = "PONG\r\n";
    if (frame.starts_with("PING"))
      ::send(line_->peer->fd(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }

 private:
  struct Line {
    Line(Peer* its_peer, const ConsumerPlan& plan)
        : peer(its_peer), arrivals(plan.body, plan.every) {}
    Peer* peer;
    Arrivals arrivals;
    std::string rest{};  // of a frame that has not come whole
  };

  bool complete() const {
    return board_.produced.load(std::memory_order_acquire) &&
           delivered_ == board_.sent.load() * plan_.copies;
  }

  void read(Line& line) {
    std::copy(line.rest.begin(), line.rest.end(), buffer_.begin());
    const std::size_t held = line.rest.size();
    const ssize_t got = recv(line.peer->fd(), buffer_.data() + held, buffer_.size() - held, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return board_.complain("the broker closed a consumer's connection");
    line_ = &line;
    const std::uint64_t before = line.arrivals.count();
    const BytesView bytes(buffer_.data(), held + static_cast<std::size_t>(got));
    const std::size_t used = cut(line.peer->language(), bytes, plan_.body, *this);
    line.rest.assign(bytes.substr(used));
    delivered_ += line.arrivals.count() - before;
    if (line.rest.size() > buffer_.size() / 2) board_.complain("a frame too long for a consumer");
  }

  void tell() {
    std::uint64_t progress = delivered_ / plan_.copies;
    if (plan_.every) {
      for (const Line& line : lines_) progress = std::min(progress, line.arrivals.count());
    }
    board_.delivered.store(delivered_, std::memory_order_relaxed);
    board_.progress.store(progress);
    const std::uint64_t awaited = board_.awaited.load();
    if (awaited != 0 && progress >= awaited && board_.awaited.exchange(0) != 0) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t told = write(wake_, &one, sizeof one);
    }
  }

  Board& board_;
  int wake_;
  const ConsumerPlan& plan_;
  Descriptor epoll_;
  std::vector<Line> lines_{};
  Line* line_ = nullptr;
  std::vector<char> buffer_ = std::vector<char>(buffer_bytes);
  std::uint64_t delivered_ = 0;
};

}  // namespace

void consume(Board& board, int wake, std::vector<Peer>& peers, const ConsumerPlan& plan) {
  Consumer(board, wake, peers, plan).run();
}

}  // namespace hawser::bench
