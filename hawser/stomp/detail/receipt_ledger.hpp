// The receipts that a session owes, by the token under which the bus will answer. Internal to the
// broker; one thread. Tokens count up and are answered in about that order, so this is a ring and
// no map.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/stomp/detail/fifo.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace hawser::stomp::detail {

class ReceiptLedger {
 public:
  /// The next token, from 1, for which these receipts are owed.
  std::uint64_t add(std::vector<Bytes> receipts) {
    entries_.push_back(Entry{std::move(receipts), true});
    ++open_;
    return first_ + entries_.size() - 1;
  }
  std::uint64_t add(Bytes receipt) {
    std::vector<Bytes> one;
    one.push_back(std::move(receipt));
    return add(std::move(one));
  }

  /// What was owed under that token, once; nothing for one that is unknown or answered.
  std::optional<std::vector<Bytes>> take(std::uint64_t token) {
    if (token < first_ || token - first_ >= entries_.size()) return std::nullopt;
    Entry& entry = entries_[static_cast<std::size_t>(token - first_)];
    if (!std::exchange(entry.open, false)) return std::nullopt;
    --open_;
    std::optional<std::vector<Bytes>> taken(std::move(entry.receipts));
    while (!entries_.empty() && !entries_.front().open) {
      entries_.pop_front();
      ++first_;
    }
    return taken;
  }

  /// Tokens that are not answered.
  std::size_t open() const noexcept { return open_; }

 private:
  struct Entry {
    std::vector<Bytes> receipts;
    bool open = false;
  };
  Fifo<Entry> entries_;
  std::uint64_t first_ = 1;
  std::size_t open_ = 0;
};

}  // namespace hawser::stomp::detail
