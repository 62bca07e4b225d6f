// What chaotic clients do, and what they must never see.
#include "chaos.hpp"

#include "malformed.hpp"

#include <fmt/format.h>

#include <charconv>
#include <set>
#include <utility>

namespace hawser::soak {
namespace {

constexpr std::array<std::string_view, 4> topics{"/topic/t0", "/topic/t1", "/topic/t2",
                                                 "/topic/t3"};
constexpr std::array<std::string_view, 2> shared_queues{"/queue/q0", "/queue/q1"};
constexpr std::size_t most_stomp = 16;
constexpr std::size_t most_packet = 10;

}  // namespace

stomp::ParserOptions parser_options() {
  stomp::ParserOptions options;
  options.limits.headers = 10;
  options.limits.header_line = 300;
  options.limits.header_block = 600;
  options.limits.pre_login_frame = 550;
  options.limits.body = 40'000;
  return options;
}

Chaos::Chaos(SoakWorld& hub, Address stomp, std::vector<Address> packet_servers, BusModel& model)
    : hub_(hub),
      random_(hub.world().random()),
      stomp_(std::move(stomp)),
      packet_servers_(std::move(packet_servers)),
      model_(model),
      up_{{"c0", true}, {"c1", true}, {"c2", true}} {}

std::string Chaos::some_host() {
  const std::string host = "c" + std::to_string(random_.below(3));
  bool& up = up_.at(host);
  if (!up) {
    hub_.restart_peers_on(host);
    up = true;
  }
  return host;
}

void Chaos::act() {
  const auto chance = random_.below(100);
  if (chance < 22) {
    if (stomps_.size() < most_stomp) connect_stomp();
  } else if (chance < 30) {
    if (packets_.size() < most_packet) connect_packet();
  } else if (chance < 80) {
    if (!stomps_.empty()) act_stomp(*stomps_[random_.below(stomps_.size())]);
  } else if (chance < 93) {
    if (!packets_.empty()) act_packet(packets_[random_.below(packets_.size())]);
  } else {
    act_network();
  }
  std::erase_if(stomps_, [&](const std::unique_ptr<StompPeer>& peer) {
    const bool gone = peer->client->over() || peer->client->closed;
    if (gone) judge(*peer);
    return gone;
  });
  std::erase_if(packets_, [&](const PacketPeer& peer) {
    const bool gone = peer.peer->over() || peer.peer->closed();
    if (gone) judge(peer);
    return gone;
  });
}

// ---- STOMP
// -----------------------------------------------------------------------------------------

void Chaos::connect_stomp() {
  auto peer = std::make_unique<StompPeer>();
  peer->host = some_host();
  peer->number = ++last_number_;
  SimStompClient::Options options;
  constexpr std::array versions{stomp::Version::v1_0, stomp::Version::v1_1, stomp::Version::v1_2};
  options.version = versions.at(random_.below(3));
  constexpr std::array<const char*, 5> beats{"", "0,0", "0,3000", "", "1000,1000"};
  options.heart_beat = beats.at(random_.below(beats.size()));
  options.reads = random_.below(10) != 0;
  options.logs_in = random_.below(20) != 0;
  options.pipelines = random_.below(3) == 0;
  peer->client = std::make_unique<SimStompClient>(hub_.peers_on(peer->host), stomp_, options);

  StompPeer* const self = peer.get();
  self->client->on_message = [this, self](const stomp::FrameView& frame) {
    const auto id = frame.first("subscription").value_or("");
    const auto destination = frame.first("destination").value_or("");
    if (destination == "/topic/a") return;  // a malformed frame's, where our limits let it pass
    const auto found = self->subscriptions.find(id);
    if (found == self->subscriptions.end() || found->second.destination != destination) {
      faults_.push_back(
          fmt::format("a MESSAGE of {} for a subscription that is not: {}", destination, id));
      return;
    }
    if (found->second.ended)
      faults_.push_back(fmt::format("a MESSAGE after the RECEIPT of its UNSUBSCRIBE: {}", id));
    std::uint64_t number = 0;
    std::from_chars(id.data(), id.data() + id.size(), number);
    model_.delivered(number, destination, frame.body());
    if (frame.body().ends_with("marker")) found->second.marked = true;
  };
  self->client->on_receipt = [this, self](std::string_view receipt) {
    if (receipt.starts_with("sub-")) {
      self->subscriptions.at(std::string(receipt.substr(4))).confirmed = true;
    } else if (receipt.starts_with("end-")) {
      self->subscriptions.at(std::string(receipt.substr(4))).ended = true;
    } else if (receipt == "bye") {
      if (!self->owed.empty())
        faults_.push_back(fmt::format("DISCONNECT answered before {} of {}", self->owed.size(),
                                      *self->owed.begin()));
    } else {
      self->owed.erase(std::string(receipt));
      model_.receipted(receipt);
    }
  };
  self->client->on_error = [this](std::string_view receipt) { model_.refused(receipt); };
  stomps_.push_back(std::move(peer));
  if (options.pipelines && options.logs_in) {
    subscribe(*self);
    publish(*self, topics.at(random_.below(topics.size())), 10);
  }
}

void Chaos::publish(StompPeer& peer, std::string_view destination, std::size_t padding) {
  const std::string body = model_.next_body(peer.number, destination, padding);
  std::string receipt;
  if (random_.below(3) != 0) receipt = BusModel::receipt_of(destination, body);
  if (peer.client->send(destination, body, receipt) && !receipt.empty()) peer.owed.insert(receipt);
}

void Chaos::subscribe(StompPeer& peer) {
  if (peer.subscriptions.size() >= 20) return;
  const std::string id = std::to_string(++last_id_);
  const bool topic = random_.below(3) != 0;
  const auto destination =
      topic ? topics.at(random_.below(topics.size())) : shared_queues.at(random_.below(2));
  peer.subscriptions.emplace(id, Subscription{std::string(destination)});
  peer.client->subscribe(destination, id, random_.below(2) == 0 ? "sub-" + id : std::string{});
}

void Chaos::unsubscribe(StompPeer& peer) {
  for (auto& [id, subscription] : peer.subscriptions) {
    if (subscription.ending || random_.below(3) != 0) continue;
    subscription.ending = true;
    peer.client->unsubscribe(id, random_.below(2) == 0 ? "end-" + id : std::string{});
    return;
  }
}

void Chaos::act_stomp(StompPeer& peer) {
  SimStompClient& client = *peer.client;
  const auto what = random_.below(100);
  if (what < 6) {
    client.read(false);
  } else if (what < 16) {
    client.read(true);
  } else if (what < 19) {
    client.close(random_.below(2) == 0 ? CloseMode::reset : CloseMode::immediate);
  } else if (what < 20) {
    client.end_sending();
  } else if (!client.may_send() || peer.leaves) {
    return;
  } else if (what < 34) {
    subscribe(peer);
  } else if (what < 40) {
    unsubscribe(peer);
  } else if (what < 43) {
    peer.leaves = true;
    for (auto i = random_.below(5); i > 0; --i)
      publish(peer, topics.at(random_.below(topics.size())), 5);
    client.disconnect(random_.below(2) == 0 ? "bye" : "");
  } else if (what < 46) {
    const auto& table = malformed_frames();
    client.raw(table[random_.below(table.size())].octets);
    peer.leaves = true;  // whatever the broker makes of it
  } else if (what < 48) {
    client.raw("\n");
  } else if (what < 49) {
    for (auto i = random_.below(400); i > 0; --i) publish(peer, "/queue/kept", 10);
  } else if (what < 62) {
    const auto to = topics.at(random_.below(topics.size()));
    const bool large = random_.below(3) == 0;
    for (auto i = random_.below(80); i > 0; --i)
      publish(peer, to, large ? random_.below(3000) : 20);
  } else {
    constexpr std::array<std::string_view, 3> quiet{"/queue/kept", "/queue/sure", "/queue/turns"};
    std::string_view to = topics.at(random_.below(topics.size()));
    switch (random_.below(4)) {
      case 0:
        to = shared_queues.at(random_.below(2));
        break;
      case 1:
        to = quiet.at(random_.below(3));
        break;
      default:
        break;
    }
    for (auto i = random_.below(4); i > 0; --i)
      publish(peer, to, random_.below(12) == 0 ? 20'000 : random_.below(100));
  }
}

// ---- packets
// ---------------------------------------------------------------------------------------

void Chaos::connect_packet() {
  PacketPeer peer;
  peer.host = some_host();
  peer.peer = std::make_unique<testing::Peer>(
      hub_.peers_on(peer.host), packet_servers_[random_.below(packet_servers_.size())],
      random_.below(10) != 0);
  packets_.push_back(std::move(peer));
}

void Chaos::act_packet(PacketPeer& peer) {
  const auto say = [&](std::string packet) {
    const std::string framed = testing::framed(packet);
    peer.sent += framed;
    peer.peer->send(framed);
  };
  switch (random_.below(14)) {
    case 0:
      peer.peer->close(random_.below(2) == 0 ? CloseMode::reset : CloseMode::graceful);
      return;
    case 1:
      peer.peer->end();
      return;
    case 2:  // a head: what follows is of that packet
      peer.sent += '\x7f';
      peer.peer->send("\x7f");
      return;
    case 3:
      say("stop");
      return;
    case 4:
      say("wait");
      return;
    case 5:
      say("poke");
      return;
    case 6:
      peer.peer->read(false);
      return;
    case 7:
      peer.peer->read(true);
      return;
    case 8:
      for (int i = 0; i < 40; ++i) say(std::string(random_.below(2000), 'f'));
      return;
    default:
      for (auto i = random_.below(5); i > 0; --i)
        say("p" + std::to_string(random_.below(1'000'000)));
  }
}

// ---- the network
// -----------------------------------------------------------------------------------

void Chaos::forget_host(std::string_view host) {
  for (const auto& peer : stomps_)
    if (peer->host == host) judge(*peer);
  for (const auto& peer : packets_)
    if (peer.host == host) judge(peer);
  std::erase_if(stomps_, [&](const auto& peer) { return peer->host == host; });
  std::erase_if(packets_, [&](const auto& peer) { return peer.host == host; });
}

void Chaos::act_network() {
  sim::World& world = hub_.world();
  const std::string host = some_host();
  switch (random_.below(8)) {
    case 0:
      world.cut(host, "hub");
      return;
    case 1:
      world.cut_one_way(host, "hub");
      return;
    case 2:
      world.cut_one_way("hub", host);
      return;
    case 3:
      world.reset_connections(host, "hub");
      return;
    case 4:
      world.stall("hub", host, Duration(static_cast<std::int64_t>(random_.below(8'000'000'000))));
      return;
    case 5:
      hub_.peers_on(host);  // there must be something to lose
      hub_.crash_peers_on(host);
      up_.at(host) = false;
      forget_host(host);
      return;
    default:
      world.heal();
  }
}

// ---- the end
// ---------------------------------------------------------------------------------------

void Chaos::calm() {
  for (auto& [host, up] : up_)
    if (!std::exchange(up, true)) hub_.restart_peers_on(host);
  for (const auto& peer : stomps_) {
    peer->client->read(true);
    // One whose connection was reset while it was cut off learns of it when it says something.
    peer->client->raw("\n");
  }
  for (const auto& peer : packets_) peer.peer->read(true);
}

void Chaos::expect_markers() {
  // One that cannot speak any more may never learn that the hub has reset it meanwhile.
  std::set<std::string> known;
  const auto connections = server_connections(hub_.system(), "stomp");
  if (connections)
    for (const ConnectionInfo& each : *connections) known.insert(each.peer.text());
  for (const auto& peer : stomps_) {
    if (!known.contains(peer->client->address())) continue;
    for (auto& [id, subscription] : peer->subscriptions)
      subscription.expects_marker = subscription.confirmed && !subscription.ending &&
                                    subscription.destination.starts_with("/topic/");
  }
}

bool Chaos::markers_seen() const {
  for (const auto& peer : stomps_) {
    if (peer->client->over() || peer->client->closed) continue;
    for (const auto& [id, subscription] : peer->subscriptions)
      if (subscription.expects_marker && !subscription.marked) return false;
  }
  return true;
}

void Chaos::leave() {
  for (const auto& peer : stomps_) {
    judge(*peer);
    peer->client->close(CloseMode::graceful);
  }
  for (const auto& peer : packets_) {
    judge(peer);
    peer.peer->close(CloseMode::graceful);
  }
}

void Chaos::judge(const StompPeer& peer) {
  if (!peer.client->garbled.empty())
    faults_.push_back(fmt::format("client {}: the broker speaks no STOMP: {}", peer.number,
                                  peer.client->garbled));
  if (peer.client->frames_after_error != 0)
    faults_.push_back(fmt::format("client {}: {} frames after an ERROR", peer.number,
                                  peer.client->frames_after_error));
}

void Chaos::judge(const PacketPeer& peer) {
  if (!peer.sent.starts_with(peer.peer->received))
    faults_.push_back("a packet server's echo is no prefix of what was sent");
}

std::vector<std::string> Chaos::faults() const { return faults_; }

std::string Chaos::text() const {
  std::string text;
  for (const auto& peer : stomps_) {
    text += fmt::format("client {} on {}: logged in {}, over {}, {} messages, error \"{}\";",
                        peer->number, peer->host, peer->client->logged_in, peer->client->over(),
                        peer->client->messages, peer->client->error_message);
    for (const auto& [id, each] : peer->subscriptions)
      text += fmt::format(" {} {}{}{}{}", id, each.destination, each.confirmed ? " confirmed" : "",
                          each.ending ? " ending" : "", each.marked ? " marked" : "");
    text += '\n';
  }
  return text;
}

}  // namespace hawser::soak
