// A host of ours, and lemmas and operators that are played byte by byte. Internal to the tests.
#pragma once

#include <hawser/noam/testing/noam_world.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::noam::testing {

class NoamHost : public ::testing::Test {
 protected:
  bool until(const std::function<bool()>& predicate, Duration limit = 60s) {
    return world.run_until(predicate, limit);
  }
  void start(HostOptions options = room("lab")) {
    stage.start_host(std::move(options));
    addresses = stage.addresses();
  }
  std::unique_ptr<Wire> connect() {
    auto wire = std::make_unique<Wire>(bench.engine(), stage.address(addresses.tcp->port()));
    EXPECT_TRUE(until([&] { return wire->connected || wire->over(); }, 5s));
    return wire;
  }
  /// A lemma played by hand: its own connection, and what the host connects to.
  struct Lemma {
    std::unique_ptr<Wire> out;
    std::unique_ptr<Door> door;
    Wire* in() const { return door->wires.empty() ? nullptr : door->wires.back().get(); }
    std::vector<std::string> heard() const {
      return in() == nullptr ? std::vector<std::string>{} : in()->frames();
    }
    bool dropped() const { return out->over() && (in() == nullptr || in()->over()); }
  };
  std::string registration(const std::string& name, std::uint16_t port, const std::string& hears,
                           const std::string& rest = "") {
    return framed(R"(["register",")" + name + R"(",)" + std::to_string(port) + "," + hears + ",[]" +
                  rest + "]");
  }
  Lemma register_lemma(const std::string& name, const std::string& hears = R"(["t"])",
                       const std::string& rest = "", bool expect = true) {
    Lemma lemma;
    lemma.door = std::make_unique<Door>(bench.engine(), Address::any_ipv4(0));
    lemma.out = connect();
    lemma.out->send(registration(name, lemma.door->bound.port(), hears, rest));
    EXPECT_EQ(until([&] { return lemma.in() != nullptr; }, 2s), expect) << name;
    return lemma;
  }
  void play(Lemma& lemma, const std::string& json) { lemma.out->send(framed(json)); }
  std::size_t lemmas() { return stage.status().lemmas; }

  sim::World world{1};
  Machine stage{world, "stage"};
  Bench bench{world};
  Box udp{bench.engine(), Address::any_ipv4(0)};
  HostAddresses addresses;
};

class NoamOperator : public NoamHost {
 protected:
  std::string ask(const std::string& request) {
    Wire wire(bench.engine(), stage.address(addresses.http->port()));
    wire.send(request);
    if (!until([&] { return wire.over(); }, 30s)) ADD_FAILURE() << "no answer to " << request;
    return wire.received;
  }
  std::string get(const std::string& path) {
    return ask("GET " + path + " HTTP/1.1\r\nhost: h\r\n\r\n");
  }
  std::string post(const std::string& path, const std::string& body) {
    return ask("POST " + path + " HTTP/1.1\r\nhost: h\r\ncontent-length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  static std::string body(const std::string& response) {
    return response.substr(std::min(response.find("\r\n\r\n"), response.size() - 4) + 4);
  }
  void serve(HostOptions options = room("lab")) {
    options.http = "0.0.0.0:8081";
    start(std::move(options));
  }
};

}  // namespace hawser::noam::testing
