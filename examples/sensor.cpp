// A sensor of a Noam room: plays its reading once a second, and keeps what it read while there is
// no host. Run it with a host: hawser noam host --room lab
#include <hawser/hawser.hpp>
#include <hawser/noam/lemma.hpp>
#include <hawser/process/self.hpp>

#include <iostream>
#include <string>
using namespace hawser;

struct Sensor {
  void init() { self().start_timer("read", 1s, TimerMode::periodic); }
  void handle_timer(std::string_view) {
    const auto reading = 20 + self().random().below(5);
    (void)noam::lemma().speak("temperature", std::to_string(reading));
  }
  void handle_loss(const noam::EventLoss& loss) {
    std::cout << loss.count() << " readings may not have arrived" << std::endl;
  }
};

int main(int count, char** words) {
  noam::LemmaOptions options{.guest = "sensor", .room = "lab", .speaks = {"temperature"}};
  if (count > 1) {
    const auto host = Address::parse(words[1]);
    if (!host || host->family() != Address::Family::ipv4 || host->port() == 0) {
      std::cerr
          << "sensor [HOST]: a host is an IPv4 address and a port, such as 192.0.2.7:1030, not \""
          << words[1] << '"' << std::endl;
      return 2;
    }
    options.discover = {*host};
    options.broadcast = false;
  }
  System system;
  system.start(noam::lemma<Sensor>("sensor", options));
  return system.run();
}
