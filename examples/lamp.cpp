// A lamp that a Noam room switches on and off: it hears "light", and says what became of it. Run it
// with a host: hawser noam host --room lab
#include <hawser/hawser.hpp>
#include <hawser/noam/lemma.hpp>

#include <iostream>
using namespace hawser;

struct Lamp {
  void handle_heard(const noam::Event& event) {
    on = event.value == "true";
    std::cout << event.sender << " switches it " << (on ? "on" : "off") << std::endl;
    (void)noam::lemma().speak("light/state", on ? "true" : "false");
  }
  void handle_state(const noam::LemmaChange& change) {
    std::cout << to_string(change.state) << ' ' << change.host.text() << std::endl;
  }
  bool on = false;
};

int main(int count, char** words) {
  noam::LemmaOptions options{.guest = "lamp", .room = "lab", .hears = {"light"}};
  if (count > 1) {
    const auto host = Address::parse(words[1]);
    if (!host || host->family() != Address::Family::ipv4 || host->port() == 0) {
      std::cerr
          << "lamp [HOST]: a host is an IPv4 address and a port, such as 192.0.2.7:1030, not \""
          << words[1] << '"' << std::endl;
      return 2;
    }
    options.discover = {*host};
    options.broadcast = false;
  }
  System system;
  system.start(noam::lemma<Lamp>("lamp", options));
  return system.run();
}
