// The deliveries of one subscription in one session that have yet to be settled, and what an ACK or
// NACK of one of them takes with it (stomp.md 2.4). Internal to the STOMP client; pure.
#pragma once

#include <hawser/stomp/client_messages.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::stomp::detail {

class UnsettledDeliveries {
 public:
  explicit UnsettledDeliveries(AckMode mode = AckMode::automatic) noexcept : mode_(mode) {}

  AckMode mode() const noexcept { return mode_; }
  /// The next delivery: `id` is what an ACK of it must quote. Answers its number.
  std::uint64_t add(std::string_view id);
  std::uint64_t last() const noexcept { return last_; }

  /// What an ACK of `number` must quote; nullptr when it is settled, or was never to be.
  const std::string* id_of(std::uint64_t number) const noexcept;

  /// It is settled, with all before it if `cumulative` and the mode is `client`. Those that a
  /// transaction settles come back when it is aborted.
  void settle(std::uint64_t number, bool cumulative, TransactionId transaction);
  void commit(TransactionId transaction);
  void abort(TransactionId transaction);

  /// The numbers of those before it that are unsettled and in no transaction, in order.
  std::vector<std::uint64_t> before(std::uint64_t number) const;

  std::size_t size() const noexcept { return open_.size(); }
  /// Unsettled, those of open transactions included, in order.
  std::vector<std::uint64_t> numbers() const;

 private:
  AckMode mode_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::string> open_;
  std::map<TransactionId, std::map<std::uint64_t, std::string>> held_;
};

}  // namespace hawser::stomp::detail
