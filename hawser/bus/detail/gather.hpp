// What of the changes of one write must reach the disk: a message that comes and goes in it need
// not, nor what belongs to a queue that is removed in it. Internal; pure data.
#pragma once

#include <hawser/bus/store.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hawser::bus::detail {

class Gather {
 public:
  struct Add {
    const StoreChange* change;
    std::uint32_t deliveries;
    bool cancelled;
  };
  struct Message {
    std::uint64_t queue;
    std::uint64_t sequence;
    friend auto operator<=>(const Message&, const Message&) = default;
  };
  struct Count {
    Message message;
    std::uint32_t order;  // which of one message's counts came first
    std::uint32_t deliveries;
    friend auto operator<=>(const Count&, const Count&) = default;
  };

  /// Sorts the changes out; the batches must live as long as what this has of them.
  void collect(std::span<const StoreBatch> batches);

  bool empty() const noexcept {
    return definitions.empty() && settled.empty() && delivered.empty() && adds.size() == cancelled;
  }

  // In this order they may be done.
  std::vector<const StoreChange*> definitions;  ///< declare and remove
  std::vector<Add> adds;
  std::vector<Count> delivered;  ///< sorted, the last of each message
  std::vector<Message> settled;  ///< sorted
  std::size_t cancelled = 0;     ///< of the adds

 private:
  Add* find(const Message& message) noexcept;
  void index(std::size_t count);
  void insert(std::size_t place) noexcept;
  std::size_t slot_of(const Message& message) const noexcept;

  // The adds by message: open addressing, kept from one write to the next.
  std::vector<std::uint32_t> table_;
  std::vector<std::uint64_t> removed_;
};

}  // namespace hawser::bus::detail
