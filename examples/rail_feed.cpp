// A consumer of a train feed such as Darwin's push port: a durable topic, so that nothing is missed
// while it is away; bodies compressed with gzip; one acknowledgement a batch. Lost connections are
// made again by themselves, and what was not acknowledged comes again.
#include <hawser/hawser.hpp>
#include <hawser/stomp/client.hpp>
#include <hawser/stomp/gunzip.hpp>

#include <cstdio>
#include <cstdlib>
using namespace hawser;

struct Feed {
  void handle_ready() { say("listening"); }
  void handle_messages(std::span<const stomp::Delivery> batch) {
    for (const stomp::Delivery& message : batch) {
      auto xml = stomp::gunzip(message.body());
      say(xml ? *xml : xml.error().text());
    }
    if (auto acknowledged = stomp::ack_batch(batch); !acknowledged)
      say(acknowledged.error().text());
  }
  void handle_disconnect(const stomp::Lost& lost) {
    say("lost: " + lost.reason.text() + ", " + std::to_string(lost.unsettled.size()) +
        " messages will come again");
  }
  static void say(const std::string& text) {
    std::puts(text.c_str());
    std::fflush(stdout);
  }
};

int main() {
  const char* passcode = std::getenv("FEED_PASSCODE");
  stomp::Subscription trains("/topic/darwin.pushport-v16", stomp::AckMode::client);
  trains.durable = "trains";
  stomp::ClientOptions options;
  options.targets = "127.0.0.1:61613";
  options.session.login = "me";
  options.session.passcode = passcode == nullptr ? "" : passcode;
  options.subscriptions.push_back(trains);
  // The client-id must be this program's alone: it tells it from its other instances.
  options = stomp::activemq(options, "me@example.org-home");
  System system;
  system.start(stomp::client<Feed>("feed", options));
  return system.run();  // until SIGTERM: then it says DISCONNECT
}
