// The process that joins a room to datagrams and connections. Internal to the layer.
#pragma once

#include <hawser/net/client_options.hpp>
#include <hawser/net/connection_group.hpp>
#include <hawser/net/datagram_socket.hpp>
#include <hawser/noam/host.hpp>
#include <hawser/noam/room.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/ref.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace hawser::noam::detail {

// ---- what connections tell the room ------------------------------------------------------------

struct Opened {
  Pid connection;
  Address peer;
  LinkKind kind = LinkKind::tcp;
};
struct Registers {
  Pid connection;
  Registration message;
};
struct Plays {
  Pid connection;
  std::shared_ptr<const RelayedEvent> event;
};
struct Beats {
  Pid connection;
  std::string name;
};
/// From the servers, when they listen.
struct Listens {
  enum class What : std::uint8_t { tcp, websocket, http };
  What what = What::tcp;
  Address address;
};
/// A connection has sent as much as it may, and reads on when all of that has been handled.
struct Waits {
  Pid connection;
};

// ---- what the room tells ears and connections --------------------------------------------------

struct DeliverEvent {
  std::shared_ptr<const RelayedEvent> event;
};
struct Acknowledge {
  std::string json;
};
struct CloseLink {
  Reason why;
};

// ---- what is asked -----------------------------------------------------------------------------

struct AskAddresses {
  using Reply = HostAddresses;
};
/// Runs on the room and answers what it answers; for the operator's functions.
template <class R>
struct WithRoom {
  explicit WithRoom(std::function<Result<R>(Room&, Room::Now)> call) : work(std::move(call)) {}
  std::function<Result<R>(Room&, Room::Now)> work;
  using Reply = R;
};

class RoomProcess final : private Room::Port {
 public:
  /// What the operator has set is kept in `settings`, for the next life.
  RoomProcess(std::string name, std::shared_ptr<const HostOptions> options,
              std::shared_ptr<std::optional<Room::Settings>> settings);

  Next init();
  void handle_cast(const Opened& message);
  void handle_cast(Registers message);
  void handle_cast(const Plays& message);
  void handle_cast(const Beats& message);
  void handle_cast(const Waits& message);
  void handle_cast(const Listens& message);
  void handle_info(Info& info);
  void handle_timer(std::string_view timer);
  HostAddresses handle_call(AskAddresses) const { return addresses_; }
  template <class R>
  void handle_call(WithRoom<R> request, From<R> from) {
    from.answer(request.work(*room_, now()));
    *settings_ = room_->settings();
  }
  std::string describe() const;

 private:
  void send_datagram(const Address& to, BytesView bytes) override;
  void send_beacon(BytesView bytes) override;
  Pid open_ear(const Address& to, bool attenuated) override;
  void close_ear(Pid ear) override;
  void close(Pid connection, Reason why) override;
  void deliver(Pid ear, LinkKind kind, const std::shared_ptr<const RelayedEvent>& event) override;
  void acknowledge(Pid ear, LinkKind kind, const std::string& name) override;
  void fetch_guests(const PeerHost& peer) override;
  void log(std::string text) override;

  Room::Now now();
  Result<void> open_discovery();
  void begin_fetches();

  std::string name_;
  std::shared_ptr<const HostOptions> options_;
  std::shared_ptr<std::optional<Room::Settings>> settings_;  // the child spec's as well
  std::optional<Room> room_;
  DatagramSocket discovery_;
  HostAddresses addresses_;
  std::shared_ptr<ConnectionGroup> ears_;     // shared with the connections
  std::shared_ptr<ConnectionGroup> fetches_;  // the same
  std::set<std::string> to_fetch_;            // rooms of other hosts
  std::set<std::string> fetching_;
  Room::Now now_{};  // of this turn
};

}  // namespace hawser::noam::detail
