// An outgoing connection before it is one.
#include <hawser/net/dial.hpp>

#include <hawser/process/scheduler.hpp>

#include <utility>

namespace hawser {

DialingConnection::DialingConnection(std::shared_ptr<ConnectionGroup> group, DialOptions options)
    : Connection(std::move(group)), options_(std::move(options)) {}

std::string DialingConnection::describe_state() {
  return attached() ? Connection::describe_state() : "dialing " + options_.text();
}

void DialingConnection::begin_kind() {
  detail::Dialing::Owner& owner = *this;
  dialing_ = std::make_shared<detail::Dialing>(scheduler(), owner, options_);
  dialing_->start();
}

void DialingConnection::release_resources(const Reason& reason) noexcept {
  dialing_.reset();
  Connection::release_resources(reason);
}

void DialingConnection::dialed(NativeSocket socket) {
  run_callback("init", [&] {
    dialing_.reset();
    if (auto attached = attach(std::move(socket)); !attached) {
      stop(Reason::failed(attached.error().text()));
      return;
    }
    set_host(options_.host);
    begin();
  });
}

void DialingConnection::dial_failed(Reason reason) {
  run_callback("dial", [&] { stop(std::move(reason)); });
}

}  // namespace hawser
