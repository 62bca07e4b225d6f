// What the store can take on this disk: messages a second with a window of unconfirmed ones, beside
// the disk's own rate of flushes and the store's CPU per message, in one run.
//
//   hawser_store_bench [FOLDER] [SECONDS] [WINDOW]       (defaults: ., 3, 256)
#include <hawser/bus/bus.hpp>
#include <hawser/bus/client.hpp>
#include <hawser/bus/sqlite_store.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace hawser;
using Clock = std::chrono::steady_clock;

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// fdatasync a second after appends of `bytes` each.
double flush_rate(const std::string& folder, std::size_t bytes, double seconds) {
  const std::string file = folder + "/flush";
  const int descriptor = ::open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_TRUNC, 0600);
  const std::string block(bytes, 'x');
  std::uint64_t count = 0;
  const auto start = Clock::now();
  while (since(start) < seconds) {
    if (::write(descriptor, block.data(), block.size()) < 0 || ::fdatasync(descriptor) != 0) {
      std::perror("flush");
      std::exit(1);
    }
    ++count;
  }
  const double took = since(start);
  ::close(descriptor);
  ::unlink(file.c_str());
  return static_cast<double>(count) / took;
}

bus::MessagePtr message(std::uint64_t number) {
  const std::string lines = fmt::format("persistent:true\nreceipt-number:{}\n", number);
  bus::MessageDraft draft{.destination = "/queue/bench", .content_type = "text/plain"};
  draft.properties = lines;
  const std::string body(100, 'b');
  draft.body = body;
  draft.persistent = true;
  return bus::Message::make(draft);
}

enum class Consumer { none, later, at_once };

/// Every write has a window's worth of messages, and settles as many: those of the write before, or
/// its own.
void measure(const std::string& folder, std::string_view name, Consumer consumer,
             std::uint64_t window, double seconds, double flushes) {
  const std::string place = folder + "/store";
  std::filesystem::remove_all(place);
  auto opened = bus::SqliteStore::open(place);
  if (!opened) {
    fmt::print(stderr, "{}\n", opened.error().text());
    std::exit(1);
  }
  bus::SqliteStore& store = **opened;
  auto queue = std::make_shared<bus::StoredQueue>();
  queue->id = 1;
  queue->destination = {bus::Destination::Kind::queue, "bench"};
  std::array<bus::StoreBatch, 1> batch;
  bus::StoreChange declare;
  declare.kind = bus::StoreChange::Kind::declare;
  declare.queue = 1;
  declare.definition = std::move(queue);
  batch[0].changes.push_back(std::move(declare));
  std::uint64_t sequence = 0;
  std::uint64_t writes = 0;
  double cpu = 0;
  double took = 0;
  for (;;) {
    if (const double before = cpu_seconds(); true) {
      const auto start = Clock::now();
      const auto written = store.write(batch);
      took += since(start);
      cpu += cpu_seconds() - before;
      if (!written) {
        fmt::print(stderr, "{}\n", written.error().text());
        std::exit(1);
      }
    }
    if (took >= seconds) break;
    ++writes;
    batch[0].changes.clear();
    for (std::uint64_t i = 0; i < window; ++i) {
      bus::StoreChange add;
      add.queue = 1;
      add.sequence = ++sequence;
      add.message = message(sequence);
      batch[0].changes.push_back(std::move(add));
    }
    const std::uint64_t behind = consumer == Consumer::later ? window : 0;
    for (std::uint64_t i = 0; consumer != Consumer::none && i < window; ++i) {
      bus::StoreChange settle;
      settle.kind = bus::StoreChange::Kind::settle;
      settle.queue = 1;
      settle.sequence = sequence - behind - i;
      if (settle.sequence <= sequence) batch[0].changes.push_back(std::move(settle));
    }
  }
  const double rate = static_cast<double>(sequence) / took;
  fmt::print("{:<28} {:>9.0f} msg/s  {:>6.0f} writes/s  {:>5.2f} us CPU/msg", name, rate,
             static_cast<double>(writes) / took, cpu * 1e6 / static_cast<double>(sequence));
  if (consumer == Consumer::at_once) {
    fmt::print("  (never on disk)\n");
  } else {
    fmt::print("  {:>4.0f} % of flushes x {}\n",
               100 * rate / (flushes * static_cast<double>(window)), window);
  }
  opened->reset();
  std::filesystem::remove_all(place);
}

// ---- through the bus
// ------------------------------------------------------------------------------------------

const bus::Destination queue{bus::Destination::Kind::queue, "bench"};

class Handler : public bus::ClientEvents {
 public:
  Handler() : client_(*bus::Bus::find(self().system(), "bench"), *this) {}
  void handle_info(Info& info) {
    if (client_.handle(info)) client_.flush();
  }

 protected:
  ~Handler() = default;
  void delivered(std::span<bus::Delivery>) override {}
  void confirmed(std::uint64_t) override {}
  void refused(std::uint64_t, const Error& error) override {
    fmt::print(stderr, "{}\n", error.text());
    std::exit(1);
  }
  void subscription_ended(std::uint64_t, const Error&) override {}
  void browse_ended(std::uint64_t) override {}
  void pause_changed(bool) override {}
  bus::Client client_;
};

/// Has a window of messages on the way that are not confirmed yet.
class Producer final : public Handler {
 public:
  Producer(std::atomic<std::uint64_t>& confirmed, std::uint64_t window)
      : confirmed_(confirmed), window_(window) {}
  void init() {
    for (std::uint64_t i = 0; i < window_; ++i) publish();
    client_.flush();
  }

 private:
  void publish() {
    ++next_;
    client_.publish(queue, message(next_), next_);
  }
  void confirmed(std::uint64_t) override {
    confirmed_.fetch_add(1, std::memory_order_relaxed);
    publish();
  }
  std::atomic<std::uint64_t>& confirmed_;
  std::uint64_t window_;
  std::uint64_t next_ = 0;
};

/// Settles what it gets, each turn's at once.
class Taker final : public Handler {
 public:
  void init() {
    bus::Subscription subscription;
    subscription.to = queue;
    client_.subscribe(1, std::move(subscription), 0);
    client_.flush();
  }

 private:
  void delivered(std::span<bus::Delivery> deliveries) override {
    client_.settle({1, deliveries.front().id, deliveries.back().id, bus::Outcome::accepted});
  }
};

void measure_bus(const std::string& folder, std::string_view name, bool consumer,
                 std::uint64_t window, double seconds, double flushes) {
  const std::string place = folder + "/store";
  std::filesystem::remove_all(place);
  auto opened = bus::SqliteStore::open(place);
  if (!opened) std::exit(1);
  const std::shared_ptr<bus::SqliteStore> store = *std::move(opened);
  const double cpu = cpu_seconds();
  std::atomic<std::uint64_t> confirmed{0};
  double took = 0;
  {
    System system(SystemOptions{.log_level = LogLevel::error});
    bus::BusOptions options;
    options.store = store;
    options.queue.messages = 100'000'000;
    options.queue.bytes = std::uint64_t{1} << 40U;
    if (!system.start(bus::bus_child("bench", options))) std::exit(1);
    if (consumer && !system.spawn<Taker>({})) std::exit(1);
    const auto start = Clock::now();
    if (!system.spawn<Producer>({}, std::ref(confirmed), window)) std::exit(1);
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    took = since(start);
  }
  const bus::StoreStatistics statistics = store->statistics();
  const auto count = static_cast<double>(confirmed.load());
  fmt::print(
      "{:<28} {:>9.0f} msg/s  {:>6.0f} writes/s  {:>5.2f} us CPU/msg  {:>4.0f} % of flushes "
      "x {}; {:.0f} % never on disk\n",
      name, count / took, static_cast<double>(statistics.commits) / took,
      (cpu_seconds() - cpu) * 1e6 / count,
      100 * count / took / (flushes * static_cast<double>(window)), window,
      100 * static_cast<double>(statistics.cancelled) /
          static_cast<double>(statistics.cancelled + statistics.added + 1));
  std::filesystem::remove_all(place);
}

}  // namespace

int main(int count, char** words) {
  const std::string folder = count > 1 ? words[1] : ".";
  const double seconds = count > 2 ? std::atof(words[2]) : 3;
  const std::uint64_t window = count > 3 ? std::strtoull(words[3], nullptr, 10) : 256;
  const double flushes = flush_rate(folder, 4096, seconds);
  fmt::print("fdatasync of 4 KiB appends: {:.0f}/s; of {} KiB: {:.0f}/s\n", flushes, window / 4,
             flush_rate(folder, window * 256, seconds));
  measure(folder, "stored, nobody takes", Consumer::none, window, seconds, flushes);
  measure(folder, "settled a write later", Consumer::later, window, seconds, flushes);
  // The disk sees nothing of it: what sorting the changes out costs.
  measure(folder, "settled within the write", Consumer::at_once, window, seconds / 50, flushes);
  measure_bus(folder, "through the bus, stored", false, window, seconds, flushes);
  measure_bus(folder, "through the bus, and taken", true, window, seconds, flushes);
  return 0;
}
