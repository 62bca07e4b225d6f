// A datagram socket that belongs to a handler: what comes in is a callback of its process, and one
// call sends to every network the machine is on, as interfaces come and go. Public; a member of a
// handler, used inside its callbacks.
//
//   struct Finder {
//     Next init() {
//       auto opened = socket_.open(Address::any_ipv4(1030), {.broadcast = true, .reuse_address =
//       true}, [this](const Datagram& datagram) { … });
//       …
//       socket_.broadcast(1030, "who is there?");
//     }
//     DatagramSocket socket_;
//   };
//
// What the callback throws crashes the process, as in any callback. The socket is closed with the
// handler.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/engine/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace hawser {

class Process;

/// The machine's interfaces, kept up to date. A member of a handler.
class InterfaceWatch final : private DatagramEvents {
 public:
  /// What is there now, and what was there before.
  using Changed = std::move_only_function<void(const std::vector<NetworkInterface>& now)>;

  InterfaceWatch() = default;
  InterfaceWatch(const InterfaceWatch&) = delete;
  InterfaceWatch& operator=(const InterfaceWatch&) = delete;
  ~InterfaceWatch();

  /// Answers what is there; from here on each change is a callback of the process whose callback
  /// runs now. A change that leaves everything as it was is none.
  Result<std::vector<NetworkInterface>> start(Changed changed);
  void stop();
  const std::vector<NetworkInterface>& interfaces() const noexcept { return interfaces_; }

 private:
  void on_datagram(const Datagram& datagram) override;
  void on_failed(const Error& error) override;
  void look();

  Process* process_ = nullptr;
  SocketId id_;
  Changed changed_;
  std::vector<NetworkInterface> interfaces_;
};

class DatagramSocket final : private DatagramEvents {
 public:
  using Received = std::move_only_function<void(const Datagram&)>;
  using Failed = std::move_only_function<void(const Error&)>;

  DatagramSocket() = default;
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;
  ~DatagramSocket();

  /// Binds and begins to receive; the process is the one whose callback runs now. Answers where it
  /// is bound. An open one is closed first. Errors: those of Engine::open_datagram.
  Result<Address> open(const Address& bind, const DatagramOptions& options, Received received);
  /// Called when the socket can no longer be used; it is closed then. Without this nobody is told.
  void on_failed(Failed failed) { failed_ = std::move(failed); }
  void close();
  bool is_open() const noexcept { return static_cast<bool>(id_); }
  const Address& bound() const noexcept { return bound_; }

  /// Best effort, as Engine::send_datagram. closed: it is not open.
  Result<void> send(const Address& to, BytesView bytes);

  /// To every host of every IPv4 network we are on: a limited broadcast (255.255.255.255) through
  /// each interface that is up, loopback only when there is no other. Answers through how many it
  /// left. Needs DatagramOptions::broadcast.
  std::size_t broadcast(std::uint16_t port, BytesView bytes);
  /// To the members of a multicast group, through each interface that is up and knows multicast.
  std::size_t multicast(const Address& group, BytesView bytes);
  /// Makes it a member of a group on every interface that knows multicast, also on those that come
  /// later; until it is closed. closed: it is not open; invalid_argument: this is no group, or not
  /// of the socket's family; else those of Engine::watch_interfaces.
  Result<void> join(const Address& group);

 private:
  void on_datagram(const Datagram& datagram) override;
  void on_failed(const Error& error) override;
  template <class Usable>
  std::size_t send_through_all(const Address& to, BytesView bytes, const Usable& usable);
  Result<void> join_on_all(const Address& group);

  Process* process_ = nullptr;
  SocketId id_;
  Address bound_;
  Received received_;
  Failed failed_;
  std::vector<Address> groups_;
  InterfaceWatch interfaces_;  // only while there are groups
};

}  // namespace hawser
