// Outgoing connections: a process that connects by itself and from then on is a connection like any
// accepted one, with the same handlers. Public.
//
//   auto group = std::make_shared<ConnectionGroup>(scheduler, Pid{}, ConnectionGroup::Parts{…});
//   auto pid = dial<Ping>(group, {.host = "localhost", .port = 7007}, {.parent = self().pid()},
//                         [] { return Ping{}; });
//
// The handler is made, and its init called, when the connection stands: init may send a greeting.
// Until then nobody can talk to it: casts and infos are dropped and counted, calls are answered
// with an error. Monitor or link the process to learn how it goes: it ends with
//   timeout  the look-up, or the address tried last, did not answer in time
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

template <class H, class Make>
class DialedConnection final : public HandlerConnection<H, Make>, private detail::Dialing::Owner {
  using Base = HandlerConnection<H, Make>;

 public:
  DialedConnection(Make make, std::shared_ptr<ConnectionGroup> group, DialOptions options)
      : Base(std::move(make), std::move(group)), options_(std::move(options)) {}

  void* handler(const TypeInfo& type) noexcept override {
    return connected_ ? Base::handler(type) : nullptr;
  }
  void deliver_info(Info& info) override {
    connected_ ? Base::deliver_info(info) : this->count_unexpected(info.type_name());
  }
  std::string describe_state() override {
    return connected_ ? Base::describe_state() : "dialing " + options_.text();
  }

 protected:
  void initialise() override {
    Owner& owner = *this;
    dialing_ = std::make_shared<detail::Dialing>(this->scheduler(), owner, options_);
    dialing_->start();
  }
  bool ends_in_its_own_time() const noexcept override {
    return connected_ && Base::ends_in_its_own_time();
  }
  void release_resources(const Reason& reason) noexcept override {
    dialing_.reset();
    Base::release_resources(reason);
  }

 private:
  void dialed(NativeSocket socket) override {
    this->run_callback("init", [&] {
      dialing_.reset();
      if (auto attached = this->attach(std::move(socket)); !attached) {
        this->stop(Reason::failed(attached.error().text()));
        return;
      }
      connected_ = true;
      Base::initialise();
    });
  }
  void dial_failed(Reason reason) override {
    this->run_callback("dial", [&] { this->stop(std::move(reason)); });
  }

  DialOptions options_;
  std::shared_ptr<detail::Dialing> dialing_;  // shared only with a look-up that may outlive it
  bool connected_ = false;
};

/// Starts dialing on the group's scheduler (whose thread this must be), with handler H, which
/// `make()` answers once connected. The group must outlive what the connection leaves unsent.
template <class H, class Make>
Result<Pid> dial(const std::shared_ptr<ConnectionGroup>& group, DialOptions options,
                 const SpawnOptions& spawn_options, Make make) {
  return group->scheduler().spawn(
      std::make_unique<DialedConnection<H, Make>>(std::move(make), group, std::move(options)),
      spawn_options);
}

}  // namespace hawser
