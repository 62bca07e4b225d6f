// The client against the broker of this house, which goes away and comes back.
#include <hawser/bus/bus.hpp>
#include <hawser/net/server.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/stomp/broker.hpp>
#include <hawser/stomp/testing/client_world.hpp>

#include <gmock/gmock.h>

#include <set>

namespace hawser::stomp::testing {
namespace {

TEST(ClientAndBroker, Stomp_C_05_EveryMessageArrivesOnceByItsKeyAndInOrderAcrossRestarts) {
  for (const VersionSet versions :
       {VersionSet{Version::v1_0}, VersionSet{Version::v1_1}, VersionSet::all()}) {
    Script script;
    NetWorld world(11, 2);
    const Address at = world.world().host("server").address(61613);
    ASSERT_TRUE(world.system->start(bus::bus_child("default", {})));
    const auto open = [&] {
      ASSERT_TRUE(world.system->start(broker_server("broker", {.listen = ListenAddress(at)})));
    };
    open();
    ClientOptions options{.targets = at.text(), .session = {.versions = versions}};
    options.backoff.base = 100ms;
    ASSERT_TRUE(world.system->start(client<Recorder>("feed", options, &script)));
    ASSERT_TRUE(world.until([&] { return script.events.count("ready") == 1; }));
    const ClientRef feed = client_named(*world.system, "feed");
    auto worker = *world.system->spawn<Worker>({.name = "worker"});
    std::size_t confirmed = 0;
    constexpr std::size_t count = 200;
    const std::string rest(3000, 'x');
    worker.cast(Worker::Work([&]() -> Task<void> {
      for (std::size_t i = 0; i < count; ++i) {
        const Send message = Send("/queue/a", std::to_string(i) + " " + rest).at_least_once();
        feed.cast(message);
        if (i % 10 == 0) {
          const Send last = Send("/queue/b", "sync").at_least_once().within(600s);
          EXPECT_TRUE(co_await feed.ask(last));
          ++confirmed;
        }
      }
      const Send last = Send("/queue/b", "sync").at_least_once().within(600s);
      EXPECT_TRUE(co_await feed.ask(last));
      ++confirmed;
    }));
    for (int restart = 0; restart < 3; ++restart) {
      world.run(3ms);
      ASSERT_TRUE(world.system->stop_child("broker"));
      world.run(1s);
      open();
      ASSERT_TRUE(world.until(
          [&] { return script.events.count("ready") == static_cast<std::size_t>(restart) + 2; }));
    }
    ASSERT_TRUE(world.until([&] { return confirmed == count / 10 + 1; }, 600s));
    std::vector<std::size_t> first;
    std::set<std::string> keys;
    script.on_message = [&](const Delivery& message) {
      if (keys.emplace(message.header("message-key").value_or("")).second)
        first.push_back(std::stoul(std::string(message.body())));
    };
    Subscription all("/queue/a");
    ASSERT_TRUE(world.system->call(feed.ref(), Subscribe(all)));
    ASSERT_TRUE(world.until([&] { return keys.size() == count; }));
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(first[i], i);
  }
}

TEST(ClientAndBroker, Stomp_W_01_W_02_OverAWebSocketItIsTheSame) {
  Script script;
  NetWorld world(11, 1);
  const Address at = world.world().host("server").address(15674);
  ASSERT_TRUE(world.system->start(bus::bus_child("default", {})));
  ServerOptions server{.listen = ListenAddress(at)};
  WebSocketServerOptions websocket{.path = "/ws", .stream = true};
  websocket.subprotocols = {"v12.stomp", "v11.stomp", "v10.stomp"};
  server.transports = {websocket_server(websocket)};
  ASSERT_TRUE(world.system->start(broker_server("broker", std::move(server))));
  ClientOptions options{.targets = at.text(),
                        .transports = {websocket_client(stomp_websocket("/ws"))},
                        .subscriptions = {{"/queue/a"}}};
  ASSERT_TRUE(world.system->start(client<Recorder>("feed", options, &script)));
  const ClientRef feed = client_named(*world.system, "feed");
  std::size_t octets = 0;
  script.on_message = [&](const Delivery& message) { octets = message.body().size(); };
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::string body;
  while (body.size() < 1'000'000) body += all;
  ASSERT_TRUE(world.system->call(feed.ref(), Send("/queue/a", body).with_receipt(), 60s));
  ASSERT_TRUE(world.until([&] { return octets == body.size(); }));
}

TEST(ClientAndBroker, Stomp_W_01_AClientOfOneVersionOffersThatSubProtocolAlone) {
  for (const Version version : {Version::v1_0, Version::v1_1, Version::v1_2}) {
    Script script;
    NetWorld world(11, 1);
    const Address at = world.world().host("server").address(15674);
    ASSERT_TRUE(world.system->start(bus::bus_child("default", {})));
    ServerOptions server{.listen = ListenAddress(at)};
    WebSocketServerOptions websocket{.path = "/ws", .stream = true};
    websocket.subprotocols = {"v12.stomp", "v11.stomp", "v10.stomp"};
    server.transports = {websocket_server(websocket)};
    ASSERT_TRUE(world.system->start(broker_server("broker", std::move(server))));
    ClientOptions options{.targets = at.text(),
                          .transports = {websocket_client(stomp_websocket("/ws", {version}))},
                          .session = {.versions = {version}}};
    ASSERT_TRUE(world.system->start(client<Recorder>("feed", options, &script)));
    const ClientRef feed = client_named(*world.system, "feed");
    ASSERT_TRUE(world.system->call(feed.ref(), Send("/queue/a", "x").with_receipt(), 60s));
    EXPECT_EQ(world.system->call(feed.ref(), GetStatus{})->version, version);
    EXPECT_TRUE(script.losses.empty());
  }
}

/// A broker that agrees to one version as a WebSocket and to another as STOMP; ours does not.
struct OfTwoMinds {
  Next handle_packet(Packet /*connect*/) {
    return send(std::string("CONNECTED\nversion:1.2\n\n\0", 24));
  }
};

TEST(ClientAndBroker, Stomp_W_01_AVersionThatIsNotTheWebSocketsIsAFault) {
  Script script;
  NetWorld world(11, 1);
  const Address at = world.world().host("server").address(15674);
  ServerOptions options_of_server{.listen = ListenAddress(at), .framing = raw()};
  WebSocketServerOptions websocket{.stream = true};
  websocket.subprotocols = {"v10.stomp"};
  options_of_server.transports = {websocket_server(websocket)};
  ASSERT_TRUE(world.system->start(server<OfTwoMinds>("broker", std::move(options_of_server))));
  ClientOptions options{.targets = at.text(),
                        .transports = {websocket_client(stomp_websocket("/"))}};
  ASSERT_TRUE(world.system->start(client<Recorder>("feed", options, &script)));
  ASSERT_TRUE(world.until([&] { return !script.losses.empty(); }));
  EXPECT_EQ(script.losses[0].reason.kind(), Reason::Kind::protocol_error);
}

/// Takes the end of a message for the end of its frame.
struct WithoutNul {
  Next handle_packet(Packet packet) {
    const std::size_t receipt = packet.find("\nreceipt:");
    if (packet.starts_with("CONNECT\n")) return send(std::string("CONNECTED\nversion:1.2\n\n"));
    if (receipt == BytesView::npos) return keep();
    const BytesView id = packet.substr(receipt + 9);
    return send("RECEIPT\nreceipt-id:" + std::string(id.substr(0, id.find('\n'))) + "\n\n");
  }
};

TEST(ClientAndBroker, Stomp_W_05_AServerMayLeaveOutTheNulIfThatIsSaid) {
  for (const bool said : {true, false}) {
    Script script;
    NetWorld world(11, 1);
    const Address at = world.world().host("server").address(15674);
    ServerOptions options_of_server{.listen = ListenAddress(at), .framing = raw()};
    WebSocketServerOptions websocket{.text = true};
    websocket.subprotocols = {"v12.stomp"};
    options_of_server.transports = {websocket_server(websocket)};
    ASSERT_TRUE(world.system->start(server<WithoutNul>("broker", std::move(options_of_server))));
    WebSocketClientOptions ours = stomp_websocket("/");
    if (said) ours.text_end = '\0';
    ClientOptions options{.targets = at.text(),
                          .transports = {websocket_client(ours)},
                          .subscriptions = {{"/queue/a"}}};
    ASSERT_TRUE(world.system->start(client<Recorder>("feed", options, &script)));
    EXPECT_EQ(world.until([&] { return script.events.count("ready") == 1; }, 10s), said);
  }
}

}  // namespace
}  // namespace hawser::stomp::testing
