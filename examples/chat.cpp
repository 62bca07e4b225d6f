// A chat room: each connection joins a group of processes, and what one says every other hears as
// an event. The first line is the speaker's name.
#include <hawser/hawser.hpp>

#include <string>
using namespace hawser;

struct Said {
  Pid speaker;
  std::string text;
};

class Guest {
 public:
  Next init() { return send("your name?"); }

  Next handle_packet(Packet line) {
    if (name_.empty()) {
      name_ = line;
      self().join("room");
      self().publish("room", Said{self().pid(), name_ + " has come"});
      return keep();
    }
    self().publish("room", Said{self().pid(), name_ + ": " + std::string(line)});
    return keep();
  }

  Next handle_event(const Said& said) {
    if (said.speaker == self().pid()) return keep();
    return send(said.text);
  }

  void terminate(const Reason&) {
    if (!name_.empty()) self().publish("room", Said{self().pid(), name_ + " has gone"});
  }

 private:
  std::string name_;
};

int main() {
  System system;
  system.start(server<Guest>("chat", {.listen = "127.0.0.1:7102", .framing = line()}));
  return system.run();
}
