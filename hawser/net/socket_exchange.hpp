// The listening sockets that a program's servers got from elsewhere, and those they can pass on:
// what ServerOptions::sockets names, and a ListenerHandover serves. Public; any thread; one for one
// System, which it must not outlive.
//
//   auto over = TakeOver::begin("/run/app/handover.sock");     // nobody there: we are the first
//   auto sockets = std::make_shared<SocketExchange>(over ? over->take_sockets() : …);
//   … start the servers, each with .sockets = sockets …
//   if (over && over->confirm()) sockets->settle();             // the old program has stopped
//   system.start(listener_handover("handover", {.path = …, .sockets = sockets}));
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/engine/inherited_sockets.hpp>

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

class Scheduler;

class SocketExchange {
 public:
  /// `inherited` come from systemd_sockets(), inherited_descriptor() or TakeOver::take_sockets().
  explicit SocketExchange(std::vector<InheritedSocket> inherited = {});

  /// Names of inherited sockets that no server has taken. Clients that connect there wait in vain:
  /// say so, or drop the exchange to close them.
  std::vector<std::string> unused() const;

  /// A hand-over came through: the sockets are ours alone. Until then a server that ends leaves
  /// them to the old program.
  void settle();

  // ---- for servers and hand-overs --------------------------------------------------------------

  /// A listening socket that a server holds now.
  struct Offer {
    std::string server{};
    unsigned listener = 0;
    Scheduler* scheduler = nullptr;
    SocketId socket{};
    bool leave_at_close = false;  ///< for good: somebody else, such as systemd, holds it too
  };

  /// The next socket called `name`, if there is one for `address` (port 0: any port; no address:
  /// anywhere).
  std::optional<InheritedSocket> take(std::string_view name, const Address& address);
  /// One more handle of a socket that was taken, for a listener that is started again.
  void keep(InheritedSocket socket);
  /// Replaces what this listener offered before.
  void offer(Offer offer);
  std::vector<Offer> offers() const;
  /// Whether sockets of a hand-over are ours alone.
  bool settled() const;
  /// Names of all that were inherited, for errors.
  std::string names() const;

 private:
  struct Entry {
    InheritedSocket socket;
    bool used = false;  // by somebody, before
  };
  mutable std::mutex mutex_;
  std::vector<Entry> inherited_;
  std::vector<Offer> offers_;
  std::vector<std::string> names_;
  bool settled_ = false;
};

}  // namespace hawser
