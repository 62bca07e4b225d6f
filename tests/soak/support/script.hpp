// The well-behaved: clients that do nothing wrong on healthy links, and what they are promised.
// Internal to tests/soak; one thread.
#pragma once

#include "bus_model.hpp"
#include "sim_stomp_client.hpp"
#include "soak_world.hpp"

#include <memory>
#include <string>
#include <vector>

namespace hawser::soak {

/// A publisher, a subscriber of /topic/good, the consumer of /queue/sure and a packet client, all
/// on host "good".
class Script {
 public:
  Script(SoakWorld& hub, const Address& stomp, const Address& packet, BusModel& model);

  /// Everybody is connected and subscribed.
  bool ready() const;
  /// The publisher and the packet client begin to talk.
  void begin();
  /// The publisher sends a few to /queue/turns, whose consumer goes or comes back.
  void take_turns();
  /// Every message has come, every receipt, every echo.
  bool done() const;

  /// One more message to each topic of the chaotic; its body ends with "marker".
  void publish_markers();
  /// The consumer takes what is in the other queues.
  void drain_queues();
  /// Nothing waits in the bus; asks again each second of virtual time.
  bool wait_until_empty(Duration limit);
  /// DISCONNECT, each with a receipt.
  void leave();

  /// What they saw that must not be.
  std::vector<std::string> faults() const;
  std::string text() const;

 private:
  static constexpr std::size_t count = 40;
  void listen(SimStompClient& client);

  SoakWorld& hub_;
  BusModel& model_;
  SimStompClient publisher_;
  SimStompClient subscriber_;
  SimStompClient consumer_;
  SimStompClient turner_;
  testing::Peer packets_;
  std::uint64_t turn_ = 1'000'000'000;  // the id of its subscription
  bool turning_ = false;                // it waits for the RECEIPT of UNSUBSCRIBE
  std::vector<std::string> faults_;
  std::string packets_sent_;
  std::size_t of_topic_ = 0;
  std::size_t of_queue_ = 0;  // the publisher's own
};

}  // namespace hawser::soak
