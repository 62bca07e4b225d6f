// Jobs through a queue: one process hands them in and waits until the broker has each, another
// works on at most four at once, and acknowledges what it has done; whatever it had not when it or
// its connection went is given to somebody else.
#include <hawser/hawser.hpp>
#include <hawser/stomp/client.hpp>

#include <cstdio>
using namespace hawser;

struct Worker {
  Task<void> handle_message(stomp::Frame job, stomp::DeliveryTicket ticket) {
    co_await sleep(10ms);  // hard work
    const bool good = job.body.view() != "broken";
    auto settled = stomp::client().settle(ticket, good);  // else NACK: the broker decides
    std::printf("%s %s\n", good ? "done" : "failed", Bytes(job.body.view()).c_str());
    if (!settled) std::printf("%s\n", settled.error().text().c_str());
    std::fflush(stdout);
  }
};

struct Producer {
  void init() { self().start(produce()); }
  Task<void> produce() {
    const auto broker = stomp::client_named(self().system(), "worker");
    for (const char* name : {"one", "two", "broken", "three"}) {
      // Sent again, under the same message-key, if the connection is lost before the receipt.
      stomp::Send job = stomp::Send("/queue/jobs", name).at_least_once().within(60s);
      auto sent = co_await broker.ask(job);
      std::printf("%s %s\n", sent ? "handed in" : sent.error().text().c_str(), name);
      std::fflush(stdout);
    }
  }
};

int main() {
  System system;
  stomp::Subscription jobs("/queue/jobs", stomp::AckMode::client_individual);
  jobs.prefetch = 4;
  stomp::ClientOptions options;
  options.targets = "127.0.0.1:61613";
  options.subscriptions.push_back(jobs);
  options.unprocessed = 4;
  system.start(stomp::client<Worker>("worker", options));
  auto producer = worker<Producer>("producer");
  producer.restart = Restart::transient;
  system.start(producer);
  return system.run();  // until SIGTERM
}
