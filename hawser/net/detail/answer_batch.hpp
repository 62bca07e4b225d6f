// The answers to one chunk of packets, counted together. Internal to connection*.cpp.
#pragma once

#include <hawser/net/connection.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace hawser {

/// Counting once a chunk, and not with every answer, saves a good part of what a small packet
/// costs. The high-water mark is looked at with every answer all the same.
class Connection::AnswerBatch {
 public:
  /// Plain bytes that are handed to the transports at once: a TLS record's worth.
  static constexpr std::size_t transport_bytes = 16384;

  explicit AnswerBatch(Connection& connection) : connection_(connection) {
    if (connection.sending_ended_) return;
    if (connection.stack_ != nullptr) {
      queue_ = &connection.stack_->staging();  // whether they reach the socket, transports see
      settle_at_ = connection.stack_->keeps_packets() ? 0 : transport_bytes;
    } else {
      queue_ = connection.outgoing();
      if (queue_ == nullptr) return;
      settle_at_ = connection.options().high_water;
    }
    before_ = queue_->size();
    connection.batch_ = this;
  }
  AnswerBatch(const AnswerBatch&) = delete;
  AnswerBatch& operator=(const AnswerBatch&) = delete;
  ~AnswerBatch() {
    if (connection_.batch_ != this) return;
    settle();
    connection_.batch_ = nullptr;
  }

  SendQueue& queue() const noexcept { return *queue_; }
  void added(std::uint64_t packets) {
    packets_ += packets;
    if (queue_->size() >= settle_at_) [[unlikely]]
      settle();
  }
  /// From here on nothing is batched any more.
  void end() {
    if (connection_.batch_ != this) return;
    settle();
    connection_.batch_ = nullptr;
  }
  void settle() {
    if (packets_ == 0) return;
    connection_.settle_sent(before_, *queue_, std::exchange(packets_, 0U));
    before_ = queue_->size();
  }

 private:
  Connection& connection_;
  SendQueue* queue_ = nullptr;  // it lies in the engine's socket, which stays until we close it
  std::size_t before_ = 0;
  std::size_t settle_at_ = 0;
  std::uint64_t packets_ = 0;
};

}  // namespace hawser
