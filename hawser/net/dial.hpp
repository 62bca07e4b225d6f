// Outgoing connections: a process that connects by itself and from then on is a connection like any
// accepted one, with the same handlers. Public.
//
//   auto group = std::make_shared<ConnectionGroup>(scheduler, Pid{}, ConnectionGroup::Parts{…});
//   auto pid = dial<Ping>(group, {.host = "localhost", .port = 7007}, {.parent = self().pid()},
//                         [] { return Ping{}; });
//
// The handler is made, and its init called, when the connection stands, transports (those of the
// group) included: init may send a greeting.
// Until then nobody can talk to it: casts and infos are dropped and counted, calls are answered
// with an error. Monitor or link the process to learn how it goes: it ends with
//   timeout  nobody answered within DialOptions::timeout, which holds for the look-up and all
//            attempts together; or all have failed before, one of them at least for want of an
//            answer
//   failed   no such host, refused, unreachable…: the text names the address and the error
// or, once connected, with whatever ends any connection. It does not try again: that is for its
// supervisor or client.
#pragma once

#include <hawser/net/connection_handler.hpp>
#include <hawser/net/detail/dialing.hpp>
#include <hawser/net/dial_options.hpp>

#include <memory>
#include <utility>

namespace hawser {

/// A connection that gets its socket by itself, once.
class DialingConnection : public Connection, private detail::Dialing::Owner {
 public:
  std::string describe_state() override;

 protected:
  DialingConnection(std::shared_ptr<ConnectionGroup> group, DialOptions options);

  void begin_kind() override;
  void release_resources(const Reason& reason) noexcept override;

 private:
  void dialed(NativeSocket socket) override;
  void dial_failed(Reason reason) override;

  DialOptions options_;
  std::shared_ptr<detail::Dialing> dialing_;  // shared only with a look-up that may outlive it
};

/// Starts dialing on the group's scheduler (whose thread this must be), with handler H, which
/// `make()` answers once connected. A group that has an owner must outlive what the connection
/// leaves unsent.
template <class H, class Make>
Result<Pid> dial(const std::shared_ptr<ConnectionGroup>& group, DialOptions options,
                 const SpawnOptions& spawn_options, Make make) {
  return group->scheduler().spawn(std::make_unique<HandlerConnection<H, Make, DialingConnection>>(
                                      std::move(make), group, std::move(options)),
                                  spawn_options);
}

}  // namespace hawser
