// Clients that behave while another does not: each test of a hostile peer asks them before and
// after. Internal to tests/soak; one thread.
#pragma once

#include "sim_stomp_client.hpp"
#include "soak_world.hpp"

#include <optional>
#include <string>

namespace hawser::soak {

/// A packet client on a host of its own, whose packets an echo server says back.
class PacketNeighbour {
 public:
  PacketNeighbour(SoakWorld& hub, const Address& at) : hub_(hub), peer_(hub.peers_on("good"), at) {}
  /// It still gets its answer within a second.
  bool is_served() {
    const std::string packet = testing::framed("neighbour " + std::to_string(++count_));
    peer_.send(packet);
    expected_ += packet;
    return hub_.until([&] { return peer_.received == expected_; }, 1s);
  }

 private:
  SoakWorld& hub_;
  testing::Peer peer_;
  std::string expected_;
  int count_ = 0;
};

/// A STOMP client that sends to itself.
class StompNeighbour {
 public:
  StompNeighbour(SoakWorld& hub, const Address& at)
      : hub_(hub), client_(hub.peers_on("good"), at, {.pipelines = true}) {
    client_.subscribe("/topic/neighbours", "n", "in");
  }
  bool is_served() {
    const std::size_t before = client_.messages;
    client_.send("/topic/neighbours", "hello", std::to_string(++count_));
    return hub_.until(
        [&] {
          return client_.messages == before + 1 && client_.has_receipt(std::to_string(count_));
        },
        1s);
  }
  SimStompClient& client() noexcept { return client_; }

 private:
  SoakWorld& hub_;
  SimStompClient client_;
  int count_ = 0;
};

}  // namespace hawser::soak
