// Sending in large pieces, reading receipts between them, sleeping when the window is full.
#include <bench/load/clock.hpp>
#include <bench/stomp/cutter.hpp>
#include <bench/stomp/producer.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace hawser::bench {

bool Receipts::take(std::uint64_t number, std::uint64_t sent) {
  if (number < low_ || number >= sent || number >= low_ + most || seen_[number % most])
    return false;
  seen_[number % most] = true;
  ++taken_;
  while (low_ < sent && seen_[low_ % most]) seen_[low_++ % most] = false;
  return true;
}

namespace {

constexpr int producer_look_ms = 100;       // how often a sleeper looks whether it is to stop
constexpr Duration standstill_limit = 20s;  // without anything moving
constexpr std::uint64_t least_room = 256;   // messages, for which a sleeper is worth waking

class Producer {
 public:
  Producer(Board& board, int wake, Peer& peer, const ProducerPlan& plan)
      : board_(board), wake_(wake), peer_(peer), plan_(plan), frames_(plan.sends) {}

  void run() {
    while (!board_.stop.load(std::memory_order_relaxed) && sound()) {
      const std::uint64_t room = this->room();
      if (room == 0) {
        await_room();
        continue;
      }
      std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(room, 1024));
      const BytesView piece = frames_.next(count);
      send(piece);
      board_.sent.store(frames_.given(), std::memory_order_release);
      if (plan_.sends.receipts) read();
    }
    const Instant end = now() + standstill_limit;
    while (plan_.sends.receipts && sound() && receipts_.taken() < frames_.given()) {
      if (now() > end) board_.complain("receipts are missing");
      sleep_for_socket(POLLIN);
    }
    board_.sent.store(frames_.given());
    board_.produced.store(true);
    // To close a socket with something unread in it takes back what the broker has not read yet.
    while (plan_.consumed && sound() && board_.progress.load() < frames_.given())
      sleep_for_socket(POLLIN);
  }

  // What comes back (see FrameSink).
  bool message(BytesView) {
    board_.complain("the producer was sent a message");
    return false;
  }
  void confirmed(BytesView receipt) {
    const std::int64_t number = receipt.size() == number_digits ? read_number(receipt.data()) : -1;
    // Numbers on the wire are modulo 2^32; no run is so long.
    if (number < 0 || !receipts_.take(static_cast<std::uint64_t>(number), frames_.given()))
      board_.complain(fmt::format("a receipt that nobody awaits: {}", receipt));
  }
  void failed(BytesView text) { board_.complain(text); }
  void other(BytesView frame) {
    if (frame.starts_with("PING")) send("PONG\r\n");
  }

 private:
  bool sound() const { return board_.sound.load(std::memory_order_relaxed); }

  std::uint64_t room() const {
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
    if (plan_.consumed)
      limit = std::min(limit, board_.progress.load(std::memory_order_acquire) + plan_.window);
    if (plan_.sends.receipts) {
      limit = std::min(limit, receipts_.taken() + plan_.window);
      limit = std::min(limit, receipts_.low() + Receipts::most);
    }
    const std::uint64_t given = frames_.given();
    return limit > given ? limit - given : 0;
  }

  void await_room() {
    if (plan_.consumed && !plan_.sends.receipts) {
      // A little room is not worth a wake-up.
      const std::uint64_t least = std::min(least_room, plan_.window);
      board_.awaited.store(frames_.given() + least - plan_.window);
      if (board_.progress.load() + plan_.window >= frames_.given() + least) {
        board_.awaited.store(0);
        return;
      }
    }
    sleep_for_socket(POLLIN);
  }

  void sleep_for_socket(short events) {
    std::array<pollfd, 2> waiting = {{{peer_.fd(), events, 0}, {wake_, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), producer_look_ms) <= 0) return;
    if (waiting[1].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_, &count, sizeof count);
    }
    if ((waiting[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read();
  }

  void send(BytesView bytes) {
    Instant stuck = now() + standstill_limit;
    while (!bytes.empty() && sound()) {
      const ssize_t sent = ::send(peer_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
        if (!bytes.empty()) stuck = now() + standstill_limit;
        continue;
      }
      if (errno == EAGAIN) {
        if (now() > stuck) board_.complain("the broker has stopped reading");
        sleep_for_socket(POLLIN | POLLOUT);
      } else if (errno != EINTR) {
        // Its last words may still be there.
        const int code = errno;
        read();
        board_.complain(system_error(code, "send").text());
      }
    }
  }

  void read() {
    for (;;) {
      if (held_ == buffer_.size()) return board_.complain("a frame too long for the producer");
      const ssize_t got = recv(peer_.fd(), buffer_.data() + held_, buffer_.size() - held_, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return board_.complain("the broker closed the producer's connection");
      held_ += static_cast<std::size_t>(got);
      const std::size_t used =
          cut(peer_.language(), {buffer_.data(), held_}, plan_.sends.body, *this);
      std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(used),
                buffer_.begin() + static_cast<std::ptrdiff_t>(held_), buffer_.begin());
      held_ -= used;
      board_.confirmed.store(receipts_.taken(), std::memory_order_release);
      if (static_cast<std::size_t>(got) < buffer_.size() / 2) return;
    }
  }

  Board& board_;
  int wake_;
  Peer& peer_;
  const ProducerPlan& plan_;
  SendFrames frames_;
  Receipts receipts_{};
  std::vector<char> buffer_ = std::vector<char>(65'536);
  std::size_t held_ = 0;
};

}  // namespace

void produce(Board& board, int wake, Peer& peer, const ProducerPlan& plan) {
  Producer(board, wake, peer, plan).run();
}

}  // namespace hawser::bench
