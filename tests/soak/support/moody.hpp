// The handler of a packet server that throws where the seed says, and a process that counts how
// often each of them is reported dead. Internal to tests/soak; all on the simulator's one thread.
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/self.hpp>

#include <map>
#include <stdexcept>
#include <string>

namespace hawser::soak {

/// How often each callback throws.
struct MoodyPlan {
  double init = 0;
  double packet = 0;
  double info = 0;
  double timeout = 0;
  double disconnect = 0;
  double terminate = 0;
  /// Each throws never, or with a chance of its own.
  static MoodyPlan drawn(Random& random) {
    const auto some = [&](double most) {
      return random.below(2) == 0 ? 0.0 : most * random.unit();
    };
    return {some(0.4), some(0.2), some(0.5), some(0.5), some(0.8), some(0.8)};
  }
};

struct Lives {
  int begun = 0;       ///< handlers whose init came through
  int terminated = 0;  ///< of them, those that were told goodbye
  int objects = 0;     ///< handlers that exist now
  int thrown = 0;
  std::map<Pid, int> born;
  std::map<Pid, int> downs;
};

struct Born {
  Pid pid;
};

/// Monitors each process that tells it of its birth.
struct Watcher {
  Lives* lives;
  void handle_info(Info& info) const {
    if (const auto* born = info.get<Born>()) {
      ++lives->born[born->pid];
      self().monitor(born->pid);
    } else if (const auto* down = info.get<Down>()) {
      ++lives->downs[down->from];
    }
  }
};

/// Says every packet back, and falls over now and then.
class Moody {
 public:
  Moody(Lives* lives, const MoodyPlan* plan, Pid watcher)
      : lives_(lives), plan_(plan), watcher_(watcher) {
    ++lives_->objects;
  }
  Moody(const Moody&) = delete;
  Moody& operator=(const Moody&) = delete;
  ~Moody() { --lives_->objects; }

  Next init() {
    send_info(watcher_, Born{self().pid()});
    maybe(plan_->init);
    ++lives_->begun;
    return keep();
  }
  Next handle_packet(Packet packet) {
    maybe(plan_->packet);
    if (packet == "stop") return send(packet).then_stop();
    if (packet.starts_with("poke")) self().send_after(10ms, Poke{});
    Next next = send(packet);
    if (packet.starts_with("wait")) return std::move(next).timeout(300ms);
    return next;
  }
  void handle_info(Info& info) const {
    if (info.get<Poke>() != nullptr) maybe(plan_->info);
  }
  Next timeout() const {
    maybe(plan_->timeout);
    return keep();
  }
  void handle_disconnect() const { maybe(plan_->disconnect); }
  void terminate(const Reason&) const {
    ++lives_->terminated;
    maybe(plan_->terminate);
  }

 private:
  struct Poke {};
  void maybe(double chance) const {
    if (!self().random().chance(chance)) return;
    ++lives_->thrown;
    throw std::runtime_error("as planned");
  }

  Lives* lives_;
  const MoodyPlan* plan_;
  Pid watcher_;
};

}  // namespace hawser::soak
