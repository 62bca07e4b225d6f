// What the observer answers and does, over its own socket in the simulator.
#include <hawser/hub/observer.hpp>

#include <hawser/engine/inherited_sockets.hpp>
#include <hawser/net/client.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/process/sys.hpp>

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hawser::hub {
namespace {

using Json = nlohmann::json;
using testing::framed;
using testing::NetWorld;
using testing::Scripted;

struct Ask {
  explicit Ask(std::string request) : text(std::move(request)) {}
  std::string text;
  using Reply = std::string;
};

/// An observer: each answer goes to whoever asked, in order; events are kept.
struct Looker {
  std::vector<Json>* events;
  std::vector<From<std::string>> asked{};
  void handle_call(Ask ask, From<std::string> from) {
    asked.push_back(std::move(from));
    static_cast<void>(connection().send_packet(BytesView(ask.text)));
  }
  void handle_packet(Packet packet) {
    Json json = Json::parse(packet.begin(), packet.end());
    if (json.contains("event")) {
      events->push_back(std::move(json));
    } else {
      asked.front().reply(std::string(packet));
      asked.erase(asked.begin());
    }
  }
};

class Observed {
 public:
  Observed() {
    net.world().host("server").set_credentials({1, effective_user(), 1});
    ObserverOptions options;
    options.listen = "unix:/run/o.sock";
    options.version = "1.2.3";
    const auto started = start_observer(*net.system, options);
    if (!started) throw std::runtime_error(started.error().text());
    ServerOptions server_options;
    server_options.max_connections = 3000;
    at = net.serve<Scripted>(std::move(server_options), &net.events);
    looker = look("looker");
    net.run(1s);
  }
  Ref<Looker> look(const std::string& name) {
    ClientOptions options;
    options.targets = TargetList("unix:/run/o.sock");
    options.framing = length_prefixed(4);
    options.reconnect_after_close = false;
    ChildSpec spec = client<Looker>(name, options, &events);
    spec.restart = Restart::temporary;
    const auto started = net.system->start(std::move(spec));
    if (!started) throw std::runtime_error(started.error().text());
    return Ref<Looker>(*started);
  }
  Json reply(const Json& request, Duration limit = 60s) {
    const auto text = net.system->call(looker, Ask(request.dump()), limit);
    if (!text) throw std::runtime_error(text.error().text());
    return Json::parse(*text);
  }
  Json ask(const Json& request) {
    Json all = reply(request);
    if (!all.contains("ok")) throw std::runtime_error(all.dump());
    return all["ok"];
  }
  std::vector<std::string> kinds(std::string_view event, const char* key) const {
    std::vector<std::string> found;
    for (const Json& each : events)
      if (each["event"] == event) found.push_back(each[key]);
    return found;
  }

  NetWorld net;
  Address at;
  std::vector<Json> events;
  Ref<Looker> looker;
};

TEST(Observer, TellsOfTheProgramItsServersAndSchedulers) {
  Observed o;
  const Json program = o.ask({{"ask", "program"}});
  EXPECT_EQ(program["version"], "1.2.3");
  EXPECT_EQ(program["protocol"], 1);
  EXPECT_EQ(program["schedulers"], 2);
  auto peer = o.net.connect(o.at);
  peer->send(framed("echo hello"));
  o.net.run(1s);
  const Json figures = o.ask({{"ask", "figures"}});
  ASSERT_EQ(figures["servers"].size(), 2U) << figures;
  const Json& it = figures["servers"][0];
  EXPECT_EQ(it["name"], "it");
  EXPECT_EQ(it["connections"], 1);
  EXPECT_EQ(it["packets_in"], 1);
  EXPECT_EQ(it["accepting"], true);
  EXPECT_EQ(figures["servers"][1]["name"], "observer");
  EXPECT_EQ(figures["schedulers"].size(), 2U);
  EXPECT_GT(figures["schedulers"][0]["turns"], 0);
  EXPECT_EQ(figures["stalls"]["count"], 0);
}

TEST(Observer, ShowsTheSupervisionTree) {
  Observed o;
  const Json tree = o.ask({{"ask", "tree"}});
  EXPECT_EQ(tree["id"], "root");
  const Json* it = nullptr;
  for (const Json& child : tree["children"])
    if (child["id"] == "it") it = &child;
  ASSERT_NE(it, nullptr) << tree.dump(1);
  std::vector<std::string> parts;
  for (const Json& child : (*it)["children"]) parts.push_back(child["id"]);
  EXPECT_EQ(parts,
            (std::vector<std::string>{"monitor", "connections/0", "connections/1", "listener/0"}));
  EXPECT_NE((*it)["children"][3]["state"].get<std::string>().find("0 of 3000 connections"),
            std::string::npos);
}

TEST(Observer, TheBusiestConnectionsComeFirstByWhatTheyDidSinceTheLastLook) {
  Observed o;
  std::vector<std::unique_ptr<testing::Peer>> peers;
  for (int i = 0; i < 2500; ++i) peers.push_back(o.net.connect(o.at));
  o.net.run(1s);
  // The busy one of the past is not the busy one of now.
  for (int i = 0; i < 50; ++i) peers[7]->send(framed("old"));
  o.net.run(1s);
  EXPECT_EQ(o.ask({{"ask", "connections"}})["count"], 2501) << "and the observer's own";
  for (int i = 0; i < 20; ++i) peers[1999]->send(framed("echo x"));
  for (int i = 0; i < 5; ++i) peers[3]->send(framed("echo x"));
  peers[44]->send(framed("many 30"));
  o.net.run(2s);
  const Json by_packets =
      o.ask({{"ask", "connections"}, {"server", "it"}, {"count", 3}, {"by", "packets"}});
  const Json& rows = by_packets["connections"];
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(by_packets["count"], 2500);
  EXPECT_EQ(rows[0]["packets_in"], 20);
  EXPECT_EQ(rows[0]["packets_out"], 20);
  EXPECT_NEAR(rows[0]["packets_in_rate"].get<double>(), 10, 3);
  EXPECT_EQ(rows[1]["packets_out"], 30);
  EXPECT_EQ(rows[2]["packets_in"], 5);
  const Json page = o.ask(
      {{"ask", "connections"}, {"server", "it"}, {"count", 2}, {"offset", 2499}, {"by", "age"}});
  EXPECT_EQ(page["connections"].size(), 1U) << "the last page";
}

TEST(Observer, SuspendsResumesAndDrainsAServer) {
  Observed o;
  EXPECT_EQ(o.ask({{"ask", "suspend"}, {"server", "it"}})["done"], "suspend");
  EXPECT_EQ(o.net.status().not_accepting_because, "suspended");
  auto peer = o.net.connect(o.at);
  peer->send(framed("echo later"));
  o.net.run(1s);
  EXPECT_TRUE(peer->received.empty());
  o.ask({{"ask", "resume"}, {"server", "it"}});
  o.net.run(1s);
  EXPECT_EQ(peer->received, framed("later"));
  const Json drained = o.ask({{"ask", "drain"}, {"server", "it"}, {"deadline_ms", 1000}});
  EXPECT_EQ(drained["connections"], 1);
  EXPECT_EQ(drained["killed"], 0);
  EXPECT_TRUE(o.net.status().draining);
  const Json unknown = o.reply({{"ask", "suspend"}, {"server", "nobody"}});
  EXPECT_NE(unknown["error"].get<std::string>().find("'nobody'"), std::string::npos);
}

TEST(Observer, TracesOneConnectionUntilItIsToldNotToOrGoes) {
  Observed o;
  auto peer = o.net.connect(o.at);
  auto other = o.net.connect(o.at);
  o.net.run(1s);
  const auto all = server_connections(*o.net.system, "it");
  ASSERT_TRUE(all && all->size() == 2);
  const Pid pid = all->front().peer.port() == all->back().peer.port() ? Pid{} : all->front().pid;
  ASSERT_TRUE(pid);
  o.ask({{"ask", "trace"}, {"pid", pid.text()}, {"bytes", 4}});
  o.net.run(1s);
  o.events.clear();  // its own answer was already traced
  peer->send(framed("echo hello"));
  other->send(framed("echo hello"));
  o.net.run(1s);
  EXPECT_EQ(o.kinds("trace", "kind"), (std::vector<std::string>{"packet_in", "packet_out"}));
  EXPECT_EQ(o.kinds("trace", "what").front(), "10 bytes \"echo\"…");
  o.ask({{"ask", "trace"}, {"pid", pid.text()}, {"on", false}});
  o.net.run(1s);
  o.events.clear();
  peer->send(framed("echo hello"));
  o.net.run(1s);
  EXPECT_TRUE(o.events.empty());
  // A session that ends takes its traces with it.
  o.ask({{"ask", "trace"}, {"pid", pid.text()}});
  EXPECT_TRUE(sys::statistics(o.net.system->environment(), pid)->traced);
  ASSERT_TRUE(o.net.system->stop_child("looker").has_value());
  o.net.run(1s);
  EXPECT_FALSE(sys::statistics(o.net.system->environment(), pid)->traced);
}

TEST(Observer, TellsEventsFromALevelOn) {
  Observed o;
  o.ask({{"ask", "events"}, {"level", "debug"}});
  auto peer = o.net.connect(o.at);
  o.net.run(1s);
  const auto points = o.kinds("telemetry", "point");
  for (const char* point : {"connection.accepted", "connection.ready"})
    EXPECT_EQ(std::count(points.begin(), points.end(), point), 1) << point;
  o.ask({{"ask", "events"}, {"level", "off"}});
  o.events.clear();
  auto more = o.net.connect(o.at);
  o.net.run(1s);
  EXPECT_TRUE(o.events.empty());
  EXPECT_FALSE(o.net.system->telemetry().wants(LogLevel::debug)) << "off costs nothing again";
}

TEST(Observer, WhatItCannotAnswerIsAnErrorInWords) {
  Observed o;
  const auto error = [&](const Json& request) {
    return o.reply(request).value("error", std::string());
  };
  EXPECT_NE(error({{"ask", "dance"}}).find("'dance' is none of program|"), std::string::npos);
  EXPECT_NE(error({{"ask", "connections"}, {"by", "luck"}}).find("'luck'"), std::string::npos);
  EXPECT_NE(error({{"ask", "trace"}, {"pid", "<9.9.9>"}}).find("<9.9.9>"), std::string::npos);
  EXPECT_NE(error({{"ask", "trace"}, {"pid", "<0.99999.1>"}}), "") << "no such process";
  EXPECT_NE(error({{"ask", "events"}, {"level", "loud"}}).find("'loud'"), std::string::npos);
  EXPECT_NE(error(Json::array({1, 2})).find("one JSON object"), std::string::npos);
  const auto text = o.net.system->call(o.looker, Ask("{ this is no JSON"));
  ASSERT_TRUE(text.has_value());
  EXPECT_NE(text->find("one JSON object"), std::string::npos);
  EXPECT_EQ(o.reply({{"ask", "program"}, {"id", "mine"}})["id"], "mine");
}

TEST(Observer, OnlyTheSameUserMayLook) {
  Observed o;
  o.net.world().host("server").set_credentials({2, effective_user() + 1, 1});
  const auto stranger = o.look("stranger");
  o.net.run(5s);
  EXPECT_EQ(sys::describe(o.net.system->environment(), stranger.pid()).error().kind,
            ErrorKind::not_found)
      << "turned away, and the client does not come back";
  EXPECT_EQ(o.ask({{"ask", "program"}})["protocol"], 1) << "the other goes on";
}

TEST(Observer, ListensOnUnixSocketsOnly) {
  NetWorld net;
  ObserverOptions options;
  options.listen = "127.0.0.1:0";
  EXPECT_EQ(start_observer(*net.system, options).error().kind, ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace hawser::hub
