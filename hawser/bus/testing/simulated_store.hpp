// A store for tests and simulations: what it keeps outlives the hub that is made to crash, and it
// fails when told to. For tests only; one thread at a time, as every store.
//
// A write happens at one instant of virtual time, when the blocking pool's delay (from the world's
// seed) is over: a host that crashes before loses all of it, one that crashes after has all of it,
// whether or not the bus has heard. So what is kept is always a whole number of writes.
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/bus/store.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus::testing {

class SimulatedStore final : public Store {
 public:
  struct Kept {
    std::uint32_t deliveries = 0;
    std::int64_t expires = 0;
    MessagePtr message{};
  };
  struct Queue {
    StoredQueue definition{};
    std::map<std::uint64_t, Kept> messages;  // by sequence
  };

  /// `seed` is for the failures drawn by fail_sometimes().
  explicit SimulatedStore(std::uint64_t seed = 1) noexcept : random_(seed) {}

  Result<Recovered> load(const std::function<bool(const Destination&)>& wanted) override;
  Result<void> write(std::span<const StoreBatch> batches) override;

  /// Every write fails with `error` until recover().
  void fail(Error error) { failing_ = std::move(error); }
  void recover() noexcept { failing_.reset(); }
  /// Each write fails with this chance, and of those that fail every other has been kept all the
  /// same: a disk that says no may have done it.
  void fail_sometimes(double chance) noexcept { chance_ = chance; }

  /// By StoredQueue::id.
  const std::map<std::uint64_t, Queue>& queues() const noexcept { return queues_; }
  const Queue* find(const Destination& destination) const noexcept;
  std::size_t messages() const noexcept;
  std::uint64_t writes() const noexcept { return writes_; }
  /// What a bus must never ask of a store, in words: a message for a queue that it did not declare,
  /// an id used again, a definition without name.
  const std::vector<std::string>& faults() const noexcept { return faults_; }

 private:
  void apply(const StoreChange& change);
  void fault(std::string what) {
    if (!repeats_) faults_.push_back(std::move(what));
  }

  Random random_;
  std::map<std::uint64_t, Queue> queues_;
  std::map<std::uint64_t, bool> removed_;
  std::uint64_t last_id_ = 0;
  std::uint64_t writes_ = 0;
  double chance_ = 0;
  bool repeats_ = false;  // what comes now was kept already, though it failed
  std::optional<Error> failing_;
  std::vector<std::string> faults_;
};

}  // namespace hawser::bus::testing
