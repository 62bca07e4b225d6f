// A pool of clients, and a worker that borrows one to ask a question: `pool HOST:PORT…` asks each
// target's server (of length-prefixed packets) ten times and prints the answers.
#include <hawser/hawser.hpp>

#include <cstdio>
#include <string>
#include <vector>
using namespace hawser;

struct Ask {  // of a member: one question at a time, since a lease is somebody's alone
  std::string question;
  using Reply = std::string;
};

class Member {
 public:
  Next handle_call(Ask ask, From<std::string> from) {
    waiting_ = std::move(from);
    return send(ask.question);
  }
  Next handle_packet(Packet answer) {
    if (waiting_) waiting_.reply(std::string(answer));
    return keep();
  }
  void handle_disconnect() { waiting_ = {}; }  // dropped unanswered: the caller gets an error

 private:
  From<std::string> waiting_;
};

struct Worker {
  void init() { self().start(work()); }
  Task<> work() {
    const Ref<Pool> members = pool_named(self().system(), "members");
    for (int i = 0; i < 10; ++i) {
      auto lease = co_await members.call(Checkout(10s), 15s);
      if (!lease) break;
      auto answer = co_await Ref<Member>(lease->member).call_new<Ask>("ping");
      std::printf("%s\n", answer ? answer->c_str() : answer.error().text().c_str());
      members.cast(CheckIn{lease->id});
    }
    self().system().request_stop();
  }
};

int main(int count, char** words) {
  if (count < 2) return std::fputs("pool HOST:PORT...\n", stderr), 2;
  System system;
  const std::vector<std::string> targets(words + 1, words + count);
  auto members = pool<Member>("members", {.targets = TargetList(targets), .size = 2});
  if (!system.start(members)) return 2;  // the log says which target is wrong, and how
  system.start(worker<Worker>("worker"));
  return system.run();
}
