// A handler whose callbacks a test writes as lambdas, and a passive server of a lambda. Internal to
// tests.
#pragma once

#include <hawser/net/passive.hpp>
#include <hawser/net/testing/net_world.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace hawser::testing {

/// What the handlers of one test do, and what they have seen.
struct Rig {
  std::function<Next()> init;
  std::function<Next(Packet)> packet;
  std::function<Next(std::string)> cast;
  std::function<void()> upgrade;
  std::function<void()> passive;
  std::function<void()> drained;
  std::function<void()> end;
  Events seen;
  Pid pid;
};

class Rigged {
 public:
  explicit Rigged(Rig* rig) : rig_(rig) {}
  Next init() {
    rig_->pid = self().pid();
    rig_->seen.add("init");
    return rig_->init ? rig_->init() : keep();
  }
  Next handle_packet(Packet packet) {
    rig_->seen.add("packet " + std::string(packet.substr(0, 40)));
    return rig_->packet ? rig_->packet(packet) : keep();
  }
  Next handle_cast(std::string word) { return rig_->cast ? rig_->cast(std::move(word)) : keep(); }
  void handle_upgrade() { note("upgrade", rig_->upgrade); }
  void handle_passive() { note("passive", rig_->passive); }
  void handle_drained() { note("drained", rig_->drained); }
  void handle_end() { note("end", rig_->end); }
  void handle_disconnect() { rig_->seen.add("disconnect"); }
  void terminate(const Reason& reason) { rig_->seen.add("terminate " + reason.text()); }

 private:
  void note(const char* what, const std::function<void()>& body) {
    rig_->seen.add(what);
    if (body) body();
  }
  Rig* rig_;
};

using Coroutine = std::function<Task<>(Connection&)>;

/// Starts a passive server and answers its address.
inline Address serve_passive(NetWorld& net, ServerOptions options, Coroutine body) {
  options.listen = ListenAddress(net.world().host("server").address(0));
  auto started = net.system->start(passive_server("it", std::move(options), std::move(body)));
  if (!started) throw std::runtime_error(started.error().text());
  return net.status().address;
}

}  // namespace hawser::testing
