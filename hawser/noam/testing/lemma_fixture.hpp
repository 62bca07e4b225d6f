// A lemma of ours, and a host that is played byte by byte. Internal to the tests.
#pragma once

#include <hawser/noam/testing/noam_world.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace hawser::noam::testing {

/// A scripted host: answers marcos when told to, and connects back when told to.
class NoamWire : public ::testing::Test {
 protected:
  bool until(const std::function<bool()>& predicate, Duration limit = 60s) {
    return world.run_until(predicate, limit);
  }
  void answer_marcos(std::string room = "lab") {
    udp.on_bytes = [this, room](const Address& from, BytesView) {
      udp.send(from, encode(Polo{room, door.bound.port()}));
    };
  }
  /// The lemma has registered at the door; its registration.
  Registration registration(std::size_t wire = 0) {
    if (!until([&] { return door.wires.size() > wire && !door.wires[wire]->frames().empty(); })) {
      ADD_FAILURE() << "no registration came";
      return {};
    }
    const auto message = decode(door.wires[wire]->frames().front());
    return message ? std::get<Registration>(*message) : Registration{};
  }
  std::unique_ptr<Wire> call_back(const Registration& message) {
    auto wire = std::make_unique<Wire>(
        bench.engine(), floor.address(static_cast<std::uint16_t>(message.callback_port)));
    EXPECT_TRUE(until([&] { return wire->connected; }, 5s));
    return wire;
  }
  /// Registered and called back.
  std::unique_ptr<Wire> connect(const LemmaOptions& options) {
    answer_marcos(options.room);
    floor.start_lemma("E1", options, diary);
    auto wire = call_back(registration());
    EXPECT_TRUE(until([&] { return diary.connected(); }));
    return wire;
  }

  sim::World world{1};
  Bench bench{world};
  Machine floor{world, "floor"};
  Box udp{bench.engine(), Address::any_ipv4(1030)};
  Door door{bench.engine(), Address::any_ipv4(0)};
  Diary& diary = floor.diary();
};

}  // namespace hawser::noam::testing
