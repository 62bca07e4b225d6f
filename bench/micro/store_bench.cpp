// What the store can take on this disk: messages a second with a window of unconfirmed ones, beside
// the disk's own rate of flushes and the store's CPU per message, in one run.
//
//   hawser_store_bench [FOLDER] [SECONDS] [WINDOW]       (defaults: ., 3, 256)
#include <hawser/bus/sqlite_store.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
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
  fmt::print(
      "{:<28} {:>9.0f} msg/s  {:>6.0f} writes/s  {:>5.2f} us CPU/msg  {:>4.0f} % of flushes x {}\n",
      name, rate, static_cast<double>(writes) / took, cpu * 1e6 / static_cast<double>(sequence),
      100 * rate / (flushes * static_cast<double>(window)), window);
  opened->reset();
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
  return 0;
}
