// What a hostile peer may say to the broker: one clear ERROR, the end of its connection, one log
// line and a counter; memory stays bounded and the neighbours do not notice.
#include "support/malformed.hpp"
#include "support/neighbours.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace hawser::soak {

void PrintTo(const Malformed& malformed, std::ostream* out) { *out << malformed.name; }

namespace {

hub::HubOptions strict() {
  hub::HubOptions options;
  options.packet.reset();
  auto& limits = options.broker.session.parser.limits;
  limits.headers = 10;
  limits.header_line = 300;
  limits.header_block = 600;
  limits.pre_login_frame = 550;
  limits.body = 2'000;
  options.broker.session.subscription_id = 40;
  options.broker.session.destination = 40;
  options.broker.session.receipt = 40;
  options.broker.session.subscriptions = 2;
  return options;
}

struct StompScene {
  explicit StompScene(const hub::HubOptions& options = strict()) : hub(world, 2) {
    at = *hub.start_hub(options).stomp;
    neighbour.emplace(hub, at);
    EXPECT_TRUE(neighbour->is_served());
  }
  std::unique_ptr<SimStompClient> connect(StompClientOptions options = {}) {
    auto client = std::make_unique<SimStompClient>(hub.peers_on("bad"), at, options);
    if (options.logs_in && options.reads) {
      EXPECT_TRUE(hub.until([&] { return client->logged_in; }, 5s));
    } else {
      world.run_for(100ms);
    }
    return client;
  }
  /// One connection has ended so, with one line that says why, and the neighbour is well.
  void expect_one_end(Reason::Kind kind, std::string_view why) {
    const ServerStatus status = hub.status("stomp");
    EXPECT_EQ(status.ended_by(kind), 1U) << hub.all_lines();
    EXPECT_EQ(status.connections, 1U) << "the neighbour's";
    EXPECT_EQ(hub.lines_with("stomp: connection"), 1U) << hub.all_lines();
    EXPECT_EQ(hub.lines_with(why), 1U) << hub.all_lines();
    EXPECT_TRUE(neighbour->is_served());
  }

  sim::World world{1};
  SoakWorld hub;
  Address at;
  std::optional<StompNeighbour> neighbour;
};

// ---- malformed frames
// ----------------------------------------------------------------------------------

class HostileFrame : public ::testing::TestWithParam<Malformed> {};

TEST_P(HostileFrame, GetsOneErrorAndTheEnd) {
  const Malformed& malformed = GetParam();
  for (const bool byte_by_byte : {false, true}) {
    StompScene scene;
    const auto client = scene.connect({.logs_in = malformed.logged_in});
    if (byte_by_byte) {
      for (const char octet : malformed.octets) {
        client->raw(std::string(1, octet));
        scene.world.run_for(1ms);
      }
    } else {
      client->raw(malformed.octets);
    }
    EXPECT_TRUE(scene.hub.until([&] { return client->over(); }, 5s)) << malformed.name;
    EXPECT_TRUE(client->ended) << "closed, not reset: the ERROR must arrive";
    EXPECT_TRUE(client->has_error);
    EXPECT_TRUE(client->error_message.starts_with(malformed.error)) << client->error_message;
    EXPECT_EQ(client->error_receipt, malformed.receipt);
    EXPECT_EQ(client->frames_after_error, 0U);
    EXPECT_TRUE(client->garbled.empty()) << client->garbled;
    scene.world.run_for(6s);
    scene.expect_one_end(Reason::Kind::protocol_error, "protocol_error");
    EXPECT_EQ(scene.hub.bus_statistics().subscriptions, 1U) << "the neighbour's";
  }
}

INSTANTIATE_TEST_SUITE_P(Every, HostileFrame, ::testing::ValuesIn(malformed_frames()),
                         [](const auto& each) { return each.param.name; });

// ---- too slow, too quiet, too much
// -----------------------------------------------------------------------

TEST(HostileStomp, OneOctetAMinuteBeforeTheLogin) {
  StompScene scene;
  const auto client = scene.connect({.logs_in = false});
  for (const char octet : std::string("CONNECT\n")) {
    client->raw(std::string(1, octet));
    scene.world.run_for(60s);
  }
  EXPECT_TRUE(client->over());
  EXPECT_EQ(client->error_message, "login timed out");
  scene.expect_one_end(Reason::Kind::timeout, "timeout: login");
}

TEST(HostileStomp, OneOctetAMinuteOfAFrame) {
  hub::HubOptions options = strict();
  options.stomp_server.connection.idle_timeout = 50s;
  StompScene scene(options);
  const auto client = scene.connect();
  const std::string frame = "SEND\ndestination:/topic/a\n\nx";
  for (std::size_t i = 0; i < 3; ++i) {
    client->raw(frame.substr(i, 1));
    for (int second = 0; second < 60; ++second) {
      scene.world.run_for(1s);
      if (second % 20 == 0) scene.neighbour->is_served();
    }
  }
  EXPECT_TRUE(client->over());
  scene.expect_one_end(Reason::Kind::timeout, "idle_timeout");
}

TEST(HostileStomp, ConnectsAndSaysNothing) {
  StompScene scene;
  const auto client = scene.connect({.logs_in = false});
  scene.world.run_for(9s);
  EXPECT_FALSE(client->over());
  scene.world.run_for(2s);
  EXPECT_TRUE(client->over());
  EXPECT_EQ(client->error_message, "login timed out");
  scene.expect_one_end(Reason::Kind::timeout, "timeout: login");
}

TEST(HostileStomp, PromisesHeartBeatsAndSendsNone) {
  StompScene scene;
  const auto client = scene.connect({.heart_beat = "1000,0"});
  scene.world.run_for(19s);
  EXPECT_FALSE(client->over());
  scene.world.run_for(5s);
  EXPECT_TRUE(client->over());
  scene.expect_one_end(Reason::Kind::timeout, "heart-beat: nothing came");
}

TEST(HostileStomp, NeverReadsWhileSubscribedToABusyTopic) {
  hub::HubOptions options = strict();
  options.bus.topic.waiting_messages = 1'000;
  options.bus.topic.waiting_bytes = 1'000'000;
  options.stomp_server.connection.high_water = 100'000;
  options.stomp_server.connection.low_water = 20'000;
  StompScene scene(options);
  // A kernel of its own that takes little, so that what is unsent stays with us.
  SimStompClient reader(scene.hub.peers_on("good"), scene.at, {.pipelines = true});
  reader.subscribe("/topic/busy", "1", "in");
  const auto lazy = scene.connect();
  lazy->subscribe("/topic/busy", "1", "in");
  EXPECT_TRUE(
      scene.hub.until([&] { return lazy->has_receipt("in") && reader.has_receipt("in"); }, 5s));
  lazy->read(false);
  const std::string body(1'500, 'b');
  std::size_t sent = 0;
  std::uint64_t most_waiting = 0;
  while (scene.hub.status("stomp").ended_by(Reason::Kind::overloaded) == 0 && sent < 20'000) {
    for (int i = 0; i < 50; ++i, ++sent) scene.neighbour->client().send("/topic/busy", body);
    // The reader has each of them at once, whatever the lazy one does.
    EXPECT_TRUE(scene.hub.until([&] { return reader.messages == sent; }, 1s))
        << reader.messages << " of " << sent;
    most_waiting = std::max(most_waiting, scene.hub.bus_statistics().waiting_bytes);
    const auto list = server_connections(scene.hub.system(), "stomp");
    ASSERT_TRUE(list.has_value());
    for (const ConnectionInfo& each : *list) EXPECT_LT(each.unsent, 300'000U);
  }
  EXPECT_LE(most_waiting, 1'000'000U);
  EXPECT_GT(most_waiting, 500'000U) << "it was given its chance";
  scene.world.run_for(10s);
  EXPECT_EQ(scene.hub.bus_statistics().waiting_bytes, 0U);
  const ServerStatus status = scene.hub.status("stomp");
  EXPECT_EQ(status.ended_by(Reason::Kind::overloaded), 1U);
  EXPECT_EQ(status.connections, 2U);
  EXPECT_EQ(scene.hub.lines_with("bytes that had not left: the flush deadline passed"), 1U)
      << scene.hub.all_lines();
  EXPECT_EQ(scene.hub.lines_with("is too slow"), 1U) << scene.hub.all_lines();
  EXPECT_TRUE(scene.neighbour->is_served());
}

TEST(HostileStomp, ReadsLateAndHasEverything) {
  hub::HubOptions options = strict();
  options.stomp_server.connection.high_water = 20'000;
  options.stomp_server.connection.low_water = 4'000;
  StompScene scene(options);
  const auto lazy = scene.connect();
  lazy->subscribe("/topic/busy", "1", "in");
  EXPECT_TRUE(scene.hub.until([&] { return lazy->has_receipt("in"); }, 5s));
  lazy->read(false);
  for (int i = 0; i < 2'000; ++i)
    scene.neighbour->client().send("/topic/busy", std::string(1'000, 'b'));
  scene.world.run_for(10s);
  EXPECT_LT(lazy->messages, 2'000U);
  lazy->read(true);
  EXPECT_TRUE(scene.hub.until([&] { return lazy->messages == 2'000; }, 10s)) << lazy->messages;
  EXPECT_TRUE(scene.neighbour->is_served());
}

TEST(HostileStomp, FillsAQueueThatNobodyReads) {
  hub::HubOptions options = strict();
  options.bus.queue.messages = 100;
  StompScene scene(options);
  const auto client = scene.connect();
  for (int i = 0; i < 200; ++i) client->send("/queue/full", "x", std::to_string(i));
  EXPECT_TRUE(scene.hub.until([&] { return client->over(); }, 5s));
  EXPECT_EQ(client->receipts.size(), 100U);
  EXPECT_EQ(client->error_receipt, "100");
  EXPECT_NE(client->error_body.find("is full"), std::string::npos) << client->error_body;
  EXPECT_EQ(scene.hub.bus_statistics().waiting_messages, 100U);
  scene.world.run_for(6s);
  scene.expect_one_end(Reason::Kind::overloaded, "is full");
}

TEST(HostileStomp, FloodsItselfAndNeverReads) {
  hub::HubOptions options = strict();
  options.stomp_server.connection.high_water = 50'000;
  options.stomp_server.connection.low_water = 10'000;
  StompScene scene(options);
  const auto client = scene.connect();
  client->subscribe("/topic/self", "1", "in");
  EXPECT_TRUE(scene.hub.until([&] { return client->has_receipt("in"); }, 5s));
  client->read(false);
  for (int i = 0; i < 20'000; ++i) client->send("/topic/self", "much ado", std::to_string(i));
  for (int i = 0; i < 25; ++i) {
    scene.world.run_for(1s);
    EXPECT_TRUE(scene.neighbour->is_served());
    EXPECT_LE(scene.hub.bus_statistics().waiting_messages, 10'000U);
  }
  scene.world.run_for(40s);
  scene.expect_one_end(Reason::Kind::timeout, "write_deadline");
}

TEST(HostileStomp, VanishesInTheMiddleOfAFrame) {
  StompScene scene;
  const auto client = scene.connect();
  client->subscribe("/topic/a", "1", "in");
  client->raw("SEND\ndestination:/topic/a\ncontent-length:1000\n\nabc");
  EXPECT_TRUE(scene.hub.until([&] { return client->has_receipt("in"); }, 5s));
  client->close(CloseMode::reset);
  scene.world.run_for(1s);
  EXPECT_EQ(scene.hub.status("stomp").ended_by(Reason::Kind::closed), 1U);
  EXPECT_EQ(scene.hub.bus_statistics().subscriptions, 1U);
  EXPECT_TRUE(scene.neighbour->is_served());
}

// ---- transactions, acknowledgements, logins without end
// ----------------------------------------------------

std::string frame_of(std::string text) {
  text.push_back('\0');
  return text;
}

TEST(HostileStomp, BeginsWithoutEnd) {
  StompScene scene;
  const auto client = scene.connect();
  for (int i = 0; i < 1'000; ++i)
    client->raw(frame_of("BEGIN\ntransaction:" + std::to_string(i) + "\n\n"));
  EXPECT_TRUE(scene.hub.until([&] { return client->over(); }, 5s));
  EXPECT_EQ(client->error_message, "too many transactions");
  scene.expect_one_end(Reason::Kind::protocol_error, "too many transactions");
}

TEST(HostileStomp, FillsATransactionAndNeverCommits) {
  hub::HubOptions options = strict();
  options.broker.session.transaction_bytes = 100'000;
  StompScene scene(options);
  const auto client = scene.connect();
  client->raw(frame_of("BEGIN\ntransaction:t\n\n"));
  const std::string send =
      frame_of("SEND\ndestination:/queue/a\ntransaction:t\n\n" + std::string(1'900, 'x'));
  for (int i = 0; i < 500; ++i) client->raw(send);
  EXPECT_TRUE(scene.hub.until([&] { return client->over(); }, 5s));
  EXPECT_EQ(client->error_message, "transactions too large");
  EXPECT_EQ(scene.hub.bus_statistics().waiting_messages, 0U) << "nothing of it has happened";
  scene.expect_one_end(Reason::Kind::protocol_error, "transactions too large");
}

TEST(HostileStomp, SubscribesAMillionTimes) {
  hub::HubOptions options = strict();
  options.broker.session.subscriptions = 1'000;
  StompScene scene(options);
  const auto client = scene.connect();
  for (int i = 0; i < 3'000; ++i)
    client->raw(frame_of("SUBSCRIBE\nid:" + std::to_string(i) + "\ndestination:/topic/t" +
                         std::to_string(i) + "\n\n"));
  EXPECT_TRUE(scene.hub.until([&] { return client->over(); }, 5s));
  EXPECT_EQ(client->error_message, "too many subscriptions");
  scene.world.run_for(6s);
  EXPECT_EQ(scene.hub.bus_statistics().subscriptions, 1U) << "the neighbour's";
  scene.expect_one_end(Reason::Kind::protocol_error, "too many subscriptions");
}

TEST(HostileStomp, LiesAboutItsContentLengthAndWaits) {
  hub::HubOptions options = strict();
  options.broker.session.idle_timeout = 30s;
  StompScene scene(options);
  const auto client = scene.connect();
  client->raw("SEND\ndestination:/queue/a\ncontent-length:2000\n\nabc");
  scene.world.run_for(29s);
  EXPECT_FALSE(client->over());
  scene.world.run_for(3s);
  EXPECT_TRUE(client->over());
  EXPECT_EQ(scene.hub.bus_statistics().queues, 0U);
}

TEST(HostileStomp, NeverAcknowledgesAndGetsNoMoreThanItsPrefetch) {
  hub::HubOptions options = strict();
  options.broker.session.prefetch = 10;
  StompScene scene(options);
  const auto greedy = scene.connect();
  greedy->raw(frame_of("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\nreceipt:in\n\n"));
  EXPECT_TRUE(scene.hub.until([&] { return greedy->has_receipt("in"); }, 5s));
  for (int i = 0; i < 50; ++i) scene.neighbour->client().send("/queue/a", std::to_string(i));
  scene.world.run_for(5s);
  EXPECT_EQ(greedy->messages, 10U);
  const auto other = scene.connect();
  other->subscribe("/queue/a", "1", "in");
  EXPECT_TRUE(scene.hub.until([&] { return other->messages == 40; }, 5s)) << other->messages;
  greedy->close(CloseMode::reset);
  EXPECT_TRUE(scene.hub.until([&] { return other->messages == 50; }, 5s))
      << "what it kept goes to who takes it";
  EXPECT_TRUE(scene.neighbour->is_served());
}

TEST(HostileStomp, SendsBackWhateverItGets) {
  hub::HubOptions options = strict();
  options.bus.queue.deliveries = 20;
  StompScene scene(options);
  const auto client = scene.connect();
  std::size_t nacked = 0;
  client->on_message = [&](const stomp::FrameView& frame) {
    ++nacked;
    client->raw(frame_of("NACK\nid:" + std::string(*frame.first("ack")) + "\n\n"));
  };
  client->raw(
      frame_of("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\nreceipt:in\n\n"));
  EXPECT_TRUE(scene.hub.until([&] { return client->has_receipt("in"); }, 5s));
  for (int i = 0; i < 5; ++i) scene.neighbour->client().send("/queue/a", "x");
  scene.world.run_for(10s);
  EXPECT_EQ(nacked, 100U) << "five messages, twenty times each";
  const auto heir = scene.connect();
  heir->subscribe("/dlq/a", "1", "in");
  EXPECT_TRUE(scene.hub.until([&] { return heir->messages == 5; }, 5s));
  EXPECT_TRUE(scene.neighbour->is_served());
}

TEST(HostileStomp, FloodsAQueueThatBlocksAndIsNotReadUntilThereIsRoom) {
  hub::HubOptions options = strict();
  options.bus.queue.messages = 100;
  options.bus.queue.overflow = bus::QueueOverflow::block;
  options.broker.client.window_messages = 50;
  options.broker.session.heartbeat = {1s, 1s};
  StompScene scene(options);
  const auto flood = scene.connect({.heart_beat = "1000,0"});
  for (int i = 0; i < 5'000; ++i) flood->send("/queue/full", std::string(100, 'x'));
  scene.world.run_for(30s);
  EXPECT_FALSE(flood->over()) << "its heart-beats lie unread: " << flood->error_body;
  EXPECT_LE(scene.hub.bus_statistics().waiting_messages, 300U);
  EXPECT_TRUE(scene.neighbour->is_served());
  const auto reader = scene.connect();
  reader->subscribe("/queue/full", "1", "in");
  EXPECT_TRUE(scene.hub.until([&] { return reader->messages == 5'000; }, 60s)) << reader->messages;
}

TEST(HostileStomp, StallsOnATopicThatWaitsForIt) {
  hub::HubOptions options = strict();
  options.bus.topic.waiting_messages = 100;
  options.bus.topic.slow = bus::SlowSubscriber::block;
  options.broker.client.window_messages = 50;
  options.stomp_server.connection.high_water = 20'000;
  options.stomp_server.connection.low_water = 4'000;
  StompScene scene(options);
  const auto lazy = scene.connect();
  lazy->subscribe("/topic/busy", "1", "in");
  EXPECT_TRUE(scene.hub.until([&] { return lazy->has_receipt("in"); }, 5s));
  lazy->read(false);
  const auto sender = scene.connect();
  for (int i = 0; i < 5'000; ++i) sender->send("/topic/busy", std::string(1'000, 'x'));
  sender->send("/topic/busy", "last", "all");
  scene.world.run_for(10s);
  EXPECT_FALSE(lazy->over());
  EXPECT_FALSE(sender->over());
  EXPECT_FALSE(sender->has_receipt("all")) << "it is held up: nothing is lost";
  EXPECT_LE(scene.hub.bus_statistics().waiting_bytes, 250'000U);
  EXPECT_TRUE(scene.neighbour->is_served()) << "who has nothing to do with it goes on";
  lazy->read(true);
  EXPECT_TRUE(scene.hub.until([&] { return lazy->messages == 5'001; }, 60s)) << lazy->messages;
  EXPECT_TRUE(scene.hub.until([&] { return sender->has_receipt("all"); }, 5s));
}

TEST(HostileStomp, WhatIsForbiddenIsLetPassOnlyWhereThatWasAskedFor) {
  for (const bool lenient : {false, true}) {
    hub::HubOptions options = strict();
    options.lenient[lenient ? "stomp" : "stomp-websocket"].session.unknown_acks = true;
    StompScene scene(options);
    const auto client = scene.connect();
    client->raw(frame_of("ACK\nid:nothing\nreceipt:r\n\n"));
    EXPECT_TRUE(scene.hub.until([&] { return client->over() || client->has_receipt("r"); }, 5s));
    EXPECT_EQ(client->over(), !lenient);
  }
}

TEST(HostileStomp, GuessesPasswords) {
  hub::AccessRules rules;
  rules.users["alice"].password_hash =
      "scrypt$1$1$1$0001020304050607$" + std::string(64, '0');  // cheap, and good for nothing
  rules.anonymous = hub::UserRules{.read = {">"}, .write = {">"}};
  hub::HubOptions options = strict();
  options.broker.session.access = std::make_shared<hub::AccessList>(rules);
  StompScene scene(options);
  std::vector<std::unique_ptr<SimStompClient>> guesses;
  for (int i = 0; i < 20; ++i) {
    guesses.push_back(scene.connect({.logs_in = false}));
    guesses.back()->raw(frame_of(
        "CONNECT\naccept-version:1.2\nlogin:alice\npasscode:" + std::to_string(i) + "\n\n"));
  }
  for (const auto& each : guesses) {
    EXPECT_TRUE(scene.hub.until([&] { return each->over(); }, 5s));
    EXPECT_EQ(each->error_message, "login refused");
  }
  EXPECT_EQ(scene.hub.status("stomp").connections, 1U);
  EXPECT_TRUE(scene.neighbour->is_served());
}

}  // namespace
}  // namespace hawser::soak
