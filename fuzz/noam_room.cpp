// A Noam host's decisions over any days: datagrams, registrations, events, ends and orders of an
// operator in any order. Whatever comes, nobody is sent to who is not there, and when all have
// gone, nothing of them is left.
#include <hawser/base/check.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/noam/message.hpp>
#include <hawser/noam/room.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace hawser;
using namespace hawser::noam;

/// Knows who is there.
class Network final : public Room::Port {
 public:
  void send_datagram(const Address&, BytesView bytes) override {
    check(bytes.size() <= 127 && decode(bytes).has_value(), "a polo that every lemma can read");
  }
  void send_beacon(BytesView bytes) override { check(decode(bytes).has_value(), "a beacon"); }
  Pid open_ear(const Address& to, bool) override {
    if (to.port() % 16 == 7) return {};  // no descriptor is left, say
    const Pid ear = make(++last_);
    ears.insert(ear);
    return ear;
  }
  void close_ear(Pid ear) override { check(ears.erase(ear) == 1, "an ear that is there"); }
  void close(Pid connection, Reason) override {
    check(connections.erase(connection) == 1, "a connection that is there");
  }
  void deliver(Pid ear, LinkKind kind, const std::shared_ptr<const RelayedEvent>& event) override {
    check(is_there(ear, kind), "nobody is sent to who is not there");
    check(event->message().starts_with("[\"event\","), "an event");
  }
  void acknowledge(Pid ear, LinkKind kind, const std::string&) override {
    check(is_there(ear, kind), "nobody is answered who is not there");
  }
  void fetch_guests(const PeerHost&) override {}
  void log(std::string) override {}

  static Pid make(std::uint32_t number) {
    // Pids of one scheduler are compared by their numbers; nobody asks it for anything.
    alignas(std::max_align_t) static std::byte nowhere[1];
    Pid pid;
    pid.scheduler = reinterpret_cast<Scheduler*>(&nowhere);
    pid.index = number;
    pid.generation = 1;
    return pid;
  }
  bool is_there(Pid ear, LinkKind kind) const {
    return kind == LinkKind::tcp ? ears.contains(ear) : connections.contains(ear);
  }

  std::set<Pid> ears;
  std::set<Pid> connections;

 private:
  std::uint32_t last_ = 1'000;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  HostOptions options;
  options.room = "lab";
  options.lemmas = 5;
  options.free_guests = 4;
  options.grabbed = 3;
  options.peers = 3;
  options.last_values = 4;
  if (size != 0 && data[0] % 4 == 1) options.policy = HostPolicy::strict();
  if (size != 0 && data[0] % 4 == 2) options.policy = HostPolicy::compatible();
  if (size != 0 && data[0] % 4 == 3) options.policy.sender = SenderCheck::force;
  Network network;
  Room room(options, network);
  room.listening(7733, 8081);
  Room::Now now{};
  const Address from = Address::ipv4({10, 0, 0, 9}, 4'711);

  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() >= 2) {
    const auto order = static_cast<unsigned char>(rest[0]);
    const Pid connection = Network::make(1 + static_cast<unsigned char>(rest[1]) % 8U);
    const LinkKind kind = connection.index % 2 == 0 ? LinkKind::tcp : LinkKind::websocket;
    rest.remove_prefix(2);
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    // Its own allocation, so that a read past its end is seen.
    const std::vector<char> exact(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(end));
    const BytesView bytes(exact.data(), exact.size());
    rest.remove_prefix(std::min(end + 1, rest.size()));
    switch (order % 12) {
      case 0:
        room.datagram(from, bytes, now);
        break;
      case 1:
        if (network.connections.contains(connection)) break;
        if (room.opened(connection, from, kind)) network.connections.insert(connection);
        break;
      case 2:
        network.connections.erase(connection);
        room.closed(connection, now);
        break;
      case 3:
        if (!network.ears.empty()) {
          const Pid ear = *network.ears.begin();
          network.ears.erase(ear);
          room.ear_lost(ear, Reason::shutdown(), now);
        }
        break;
      case 4:
        now.clock = now.clock + Duration{static_cast<std::int64_t>(bytes.size()) * 100'000'000};
        room.tick(now);
        break;
      case 5:
        (void)room.set_room(std::string(bytes), now);
        break;
      case 6:
        room.set_on(bytes.size() % 2 == 0, now);
        break;
      case 7:
        (void)room.grab(std::string(bytes), now);
        break;
      case 8:
        (void)room.free(std::string(bytes), now);
        break;
      case 9:
        room.play("t", bytes, now);
        break;
      default: {
        // A frame of a lemma.
        auto message = decode(bytes, options.messages);
        if (!message) break;
        if (auto* registration = std::get_if<Registration>(&*message)) {
          room.registered(connection, std::move(*registration), now);
        } else if (const auto* event = std::get_if<EventView>(&*message)) {
          if (auto relayed = RelayedEvent::make(*event, options.policy.ascii))
            room.event(connection, relayed, now);
        } else if (const auto* beat = std::get_if<Heartbeat>(&*message)) {
          room.heartbeat(connection, beat->name, now);
        }
      }
    }
    check(room.names().size() <= options.lemmas, "lemmas");
    check(room.free_lemmas().size() <= options.free_guests, "free_guests");
    check(room.peers().size() <= options.peers, "peers");
  }
  const auto all = network.connections;
  for (const Pid connection : all) {
    network.connections.erase(connection);
    room.closed(connection, now);
  }
  check(network.ears.empty(), "no ear is left when all connections are gone");
  check(room.names().empty(), "no name is left");
  return 0;
}
