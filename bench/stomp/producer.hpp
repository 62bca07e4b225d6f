// The generator's side that sends: pipelined, with so many messages under way and no more. Public;
// runs in a process of its own.
#pragma once

#include <bench/stomp/board.hpp>
#include <bench/stomp/frames.hpp>
#include <bench/stomp/peer.hpp>

#include <cstdint>
#include <vector>

namespace hawser::bench {

struct ProducerPlan {
  SendPlan sends{};
  /// Messages that may be sent and neither confirmed (with receipts) nor in everybody's hands (with
  /// consumers); below 65,536.
  std::uint64_t window = 4096;
  bool consumed = true;  ///< there are consumers to wait for
};

/// Which receipts are still awaited: each number comes once, in any order.
class Receipts {
 public:
  static constexpr std::uint64_t most = 65'536;
  /// False when it was not awaited. `sent`: numbers below it are.
  bool take(std::uint64_t number, std::uint64_t sent);
  std::uint64_t taken() const noexcept { return taken_; }
  /// Every number below it is confirmed; nothing at or above it + most may be sent.
  std::uint64_t low() const noexcept { return low_; }

 private:
  std::vector<bool> seen_ = std::vector<bool>(most);
  std::uint64_t low_ = 0;
  std::uint64_t taken_ = 0;
};

/// Sends until board.stop, and then whatever it must to end between two frames, and awaits the
/// receipts. Complaints are on the board.
void produce(Board& board, int wake, Peer& peer, const ProducerPlan& plan);

}  // namespace hawser::bench
