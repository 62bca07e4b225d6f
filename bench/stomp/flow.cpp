// Starting the two processes, taking the figures at both ends of the interval, ending them.
#include <bench/load/clock.hpp>
#include <bench/load/figures.hpp>
#include <bench/stomp/flow.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <utility>

namespace hawser::bench {

namespace {

constexpr Duration no_message_limit = 20s;  // without a message

/// All of a consumer's connections; on failure the board says why.
bool open_all(Board& board, const Broker& broker, const Flow& flow,
              const std::vector<std::vector<std::string>>& reads, std::vector<Peer>& peers) {
  for (const auto& destinations : reads) {
    auto peer = Peer::open(broker, static_cast<unsigned>(peers.size()), 0, flow.login_limit);
    if (!peer) {
      board.complain("consumer: " + peer.error().text());
      return false;
    }
    if (auto subscribed = peer->subscribe(destinations, flow.login_limit); !subscribed) {
      board.complain("consumer: " + subscribed.error().text());
      return false;
    }
    peers.push_back(std::move(*peer));
  }
  return true;
}

void run_consumer(const SharedBoard& board, const Broker& broker, const Flow& flow) {
  while (flow.consume_after && !board->produced.load() && board->sound.load()) poll(nullptr, 0, 20);
  std::vector<Peer> silent, peers;
  // Those that never read come first, so that nothing is sent to the others meanwhile.
  if (!open_all(*board, broker, flow, flow.silent, silent)) return;
  if (flow.consume_after) {
    // What waits comes as soon as it is asked for.
    for (std::size_t i = 0; i < flow.reads.size(); ++i) {
      auto peer = Peer::open(broker, 0, 0, flow.login_limit);
      if (!peer) return board->complain(peer.error().text());
      peers.push_back(std::move(*peer));
      if (auto asked = peers.back().ask(flow.reads[i], flow.login_limit); !asked)
        return board->complain(asked.error().text());
    }
  } else if (!open_all(*board, broker, flow, flow.reads, peers)) {
    return;
  }
  board->subscribed.store(true);
  if (!peers.empty()) consume(*board, board.wake(), peers, flow.consumer);
}

void run_producer(const SharedBoard& board, const Broker& broker, const Flow& flow) {
  auto peer = Peer::open(broker, 251, 0, flow.login_limit);
  if (!peer) return board->complain("producer: " + peer.error().text());
  produce(*board, board.wake(), *peer, flow.producer);
}

struct Reading {
  Instant at{};
  std::uint64_t messages = 0;
  std::uint64_t deliveries = 0;
  CpuUsage broker{};
  Duration producer{0};
  Duration consumer{0};
};

class FlowRun {
 public:
  FlowRun(const Broker& broker, const Flow& flow, SharedBoard board)
      : broker_(broker), flow_(flow), board_(std::move(board)) {}

  Result<FlowResult> run() {
    consumes_ = !flow_.reads.empty() && !flow_.consume_after;
    const bool reads = !flow_.reads.empty() || !flow_.silent.empty();
    const std::uint64_t memory = memory_of_broker();
    if (reads) {
      if (auto started = start(consumer_, [this] { run_consumer(board_, broker_, flow_); });
          !started)
        return std::unexpected(started.error());
    }
    while (reads && !flow_.consume_after && !board_->subscribed.load()) {
      if (auto sound = pass(10ms); !sound) return std::unexpected(sound.error());
      if (ended(consumer_)) return std::unexpected(complaint());
    }
    if (auto started = start(producer_, [this] { run_producer(board_, broker_, flow_); }); !started)
      return std::unexpected(started.error());
    if (auto moved = pass(flow_.warmup, 0); !moved) return std::unexpected(moved.error());
    const Reading first = read();
    if (auto moved = pass(flow_.duration, first.messages); !moved)
      return std::unexpected(moved.error());
    const Reading last = read();
    memory_most_ = std::max(memory_most_, memory_of_broker());
    board_->stop.store(true);
    if (auto done = finish(producer_); !done) return std::unexpected(done.error());
    if (!flow_.reads.empty()) {
      if (auto done = finish(consumer_); !done) return std::unexpected(done.error());
    }
    FlowResult result;
    result.seconds = to_seconds(last.at - first.at);
    result.messages = last.messages - first.messages;
    result.deliveries = last.deliveries - first.deliveries;
    result.broker = last.broker - first.broker;
    result.producer = last.producer - first.producer;
    result.consumer = last.consumer - first.consumer;
    result.memory_before = memory;
    result.memory_most = memory_most_;
    return result;
  }

 private:
  static Result<void> start(Worker& worker, const std::function<void()>& work) {
    auto started = Worker::start(work);
    if (!started) return std::unexpected(started.error());
    worker = std::move(*started);
    return {};
  }

  static bool ended(const Worker& worker) {
    pollfd waiting = {worker.ended(), POLLIN, 0};
    return worker.pid() != 0 && poll(&waiting, 1, 0) > 0;
  }

  Error complaint() const {
    const std::string text = board_->complaint.data();
    return {ErrorKind::protocol_error, 0, "flow",
            text.empty() ? "a process of the generator has ended by itself" : text};
  }

  /// Lets time pass, as long as nobody complains.
  Result<void> pass(Duration length) {
    const Instant end = now() + length;
    do {
      const Duration left = std::min<Duration>(end - now(), 50ms);
      poll(nullptr, 0,
           static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
      if (!board_->sound.load() || ended(producer_)) return std::unexpected(complaint());
      if (!flow_.silent.empty()) memory_most_ = std::max(memory_most_, memory_of_broker());
    } while (now() < end);
    return {};
  }

  /// The same, and until more messages have come through than that: a short interval on a busy
  /// machine may have none.
  Result<void> pass(Duration length, std::uint64_t messages) {
    if (auto sound = pass(length); !sound) return sound;
    const Instant end = now() + no_message_limit;
    while (through() <= messages) {
      if (now() > end)
        return std::unexpected(Error{ErrorKind::timeout, 0, "flow", "no message comes through"});
      if (auto sound = pass(10ms); !sound) return sound;
    }
    return {};
  }

  std::uint64_t through() const {
    return consumes_ ? board_->progress.load() : board_->confirmed.load();
  }

  /// The workers have their own patience, and complain when it is at its end.
  Result<void> finish(const Worker& worker) const {
    pollfd waiting = {worker.ended(), POLLIN, 0};
    while (poll(&waiting, 1, 1000) <= 0) {
    }
    if (!board_->sound.load() || !board_->produced.load()) return std::unexpected(complaint());
    return {};
  }

  std::uint64_t memory_of_broker() const {
    if (broker_.pid == 0) return 0;
    const auto memory = memory_usage(broker_.pid);
    return memory ? memory->anonymous : 0;
  }

  static Duration cpu_of(pid_t pid) {
    if (pid == 0) return Duration{0};
    const auto usage = cpu_usage(pid);
    return usage ? usage->total : Duration{0};
  }

  Reading read() const {
    Reading reading;
    if (broker_.pid != 0) {
      if (const auto usage = cpu_usage(broker_.pid)) reading.broker = *usage;
    }
    reading.producer = cpu_of(producer_.pid());
    reading.consumer = cpu_of(consumer_.pid());
    reading.at = now();
    reading.messages = through();
    reading.deliveries = board_->delivered.load();
    return reading;
  }

  const Broker& broker_;
  const Flow& flow_;
  SharedBoard board_;
  bool consumes_ = false;
  std::uint64_t memory_most_ = 0;
  Worker consumer_{};
  Worker producer_{};
};

}  // namespace

double FlowResult::per_message() const noexcept {
  return messages == 0 ? 0 : microseconds(broker.total) / static_cast<double>(messages);
}

double FlowResult::per_delivery() const noexcept {
  return deliveries == 0 ? 0 : microseconds(broker.total) / static_cast<double>(deliveries);
}

Result<FlowResult> run_flow(const Broker& broker, const Flow& flow) {
  auto board = SharedBoard::make();
  if (!board) return std::unexpected(board.error());
  return FlowRun(broker, flow, std::move(*board)).run();
}

}  // namespace hawser::bench
