// Clients that do everything a client can do, right or wrong, on a network that is cut, stalled and
// reset under them. Each act is drawn from the world's seed. Internal to tests/soak; one thread.
#pragma once

#include "bus_model.hpp"
#include "sim_stomp_client.hpp"
#include "soak_world.hpp"

#include <hawser/stomp/parser.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::soak {

/// The broker's parser limits that the table of malformed frames counts on, but for the body's.
stomp::ParserOptions parser_options();

class Chaos {
 public:
  /// `packet_servers` say back what they are sent.
  Chaos(SoakWorld& hub, Address stomp, std::vector<Address> packet_servers, BusModel& model);

  /// One thing that goes right or wrong.
  void act();
  /// Every client reads again, every host is up; nobody does anything more.
  void calm();
  /// Notes who is subscribed by now; before Script::publish_markers.
  void expect_markers();
  /// Who was subscribed to a topic then has its marker, or is over.
  bool markers_seen() const;
  /// Every connection is closed from this side.
  void leave();

  /// What clients saw that must not be.
  std::vector<std::string> faults() const;
  std::string text() const;

 private:
  struct Subscription {
    std::string destination;
    bool confirmed = false;
    bool ending = false;
    bool ended = false;  // the RECEIPT of its UNSUBSCRIBE came
    bool expects_marker = false;
    bool marked = false;
  };
  struct StompPeer {
    std::unique_ptr<SimStompClient> client;
    std::string host;
    std::uint64_t number = 0;
    std::set<std::string, std::less<>> owed;  // receipts asked for and not come
    bool leaves = false;                      // has sent DISCONNECT
    std::map<std::string, Subscription, std::less<>> subscriptions;  // by id
  };
  struct PacketPeer {
    std::unique_ptr<testing::Peer> peer;
    std::string host;
    std::string sent;
  };

  void connect_stomp();
  void connect_packet();
  void act_stomp(StompPeer& peer);
  void act_packet(PacketPeer& peer);
  void act_network();
  void publish(StompPeer& peer, std::string_view destination, std::size_t padding);
  void subscribe(StompPeer& peer);
  void unsubscribe(StompPeer& peer);
  void forget_host(std::string_view host);
  std::string some_host();
  void judge(const StompPeer& peer);
  void judge(const PacketPeer& peer);

  SoakWorld& hub_;
  Random& random_;
  Address stomp_;
  std::vector<Address> packet_servers_;
  BusModel& model_;
  std::vector<std::unique_ptr<StompPeer>> stomps_;  // in place: their hooks point to them
  std::vector<PacketPeer> packets_;
  std::map<std::string, bool, std::less<>> up_;  // by host
  std::uint64_t last_number_ = 100;
  std::uint64_t last_id_ = 100;  // the script has those below
  std::vector<std::string> faults_;
};

}  // namespace hawser::soak
