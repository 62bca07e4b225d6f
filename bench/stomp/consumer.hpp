// The generator's side that receives: counts what arrives, and checks each body and the order.
// Public; runs in a process of its own.
#pragma once

#include <bench/stomp/board.hpp>
#include <bench/stomp/frames.hpp>
#include <bench/stomp/peer.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hawser::bench {

/// The messages of one connection, looked at one by one.
class Arrivals {
 public:
  /// `every`: it gets each number, in order, once; else numbers that do not fall.
  Arrivals(std::size_t body, bool every) : fill_(body_fill(body - number_digits)), every_(every) {}

  /// False when the body is not what was sent, or out of order; then wrong() tells.
  bool take(BytesView body) noexcept;
  std::uint64_t count() const noexcept { return count_; }
  std::string wrong(BytesView body) const;

 private:
  std::string fill_;
  bool every_;
  std::uint64_t count_ = 0;
  std::int64_t last_ = 0;
};

struct ConsumerPlan {
  std::size_t body = 100;
  std::uint64_t copies = 1;  ///< deliveries of each message, over all connections
  bool every = true;         ///< each connection gets every message
};

/// Reads until the producer has ended and all it sent has come. Complaints are on the board.
void consume(Board& board, int wake, std::vector<Peer>& peers, const ConsumerPlan& plan);

}  // namespace hawser::bench
