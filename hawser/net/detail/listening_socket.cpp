// Binding, asking the user, and passing on what the engine tells.
#include <hawser/net/detail/listening_socket.hpp>

#include <hawser/net/detail/open_listener.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser::detail {

ListeningSocket::~ListeningSocket() {
  if (!id_) return;
  if (Scheduler::current() == &scheduler_) {
    scheduler_.engine().close_now(id_);
  } else {
    // It has not accepted yet, so nobody is told anything until then.
    scheduler_.post([&scheduler = scheduler_, id = id_] { scheduler.engine().close_now(id); });
  }
}

Result<std::unique_ptr<ListeningSocket>> ListeningSocket::open(Scheduler& scheduler,
                                                               const std::string& server,
                                                               const Address& address,
                                                               const ServerOptions& options,
                                                               unsigned listener) {
  ListenOptions listen;
  listen.backlog = options.backlog;
  // With nobody to share it with, the port is ours alone: who else asks for it is told.
  listen.reuse_port = options.spread == AcceptSpread::per_scheduler && options.acceptors != 1;
  listen.ipv6_only = options.ipv6_only;
  listen.start_paused = true;
  listen.unix_mode = options.unix_mode;
  listen.accepted = options.socket;
  // allocation: the constructor is private
  std::unique_ptr<ListeningSocket> socket(new ListeningSocket(scheduler));
  auto listening = open_listener(scheduler, server, listener, options, address, listen, *socket);
  if (!listening) return std::unexpected(std::move(listening.error()));
  socket->id_ = listening->id;
  socket->address_ = listening->bound;
  if (!options.on_listening) return socket;
  const ListenAnswer answer = options.on_listening(
      {socket->address_, scheduler.engine().descriptor(socket->id_), listener, scheduler.number()});
  if (answer.declines())
    return std::unexpected(Error{ErrorKind::cancelled, 0, "listen",
                                 fmt::format("on_listening declined {}", socket->address_.text())});
  if (answer.fails())
    return std::unexpected(
        Error{ErrorKind::failed, 0, "listen",
              fmt::format("on_listening refused {}: {}", socket->address_.text(), answer.why())});
  return socket;
}

void ListeningSocket::accept(bool on) {
  on ? scheduler_.engine().resume_accepting(id_) : scheduler_.engine().pause_accepting(id_);
}

void ListeningSocket::on_accepted(NativeSocket socket) {
  if (events_ != nullptr) events_->on_accepted(std::move(socket));
}

void ListeningSocket::on_accept_failed(const Error& error, bool paused) {
  if (events_ != nullptr) events_->on_accept_failed(error, paused);
}

}  // namespace hawser::detail
