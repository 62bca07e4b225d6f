// The handlers of a host's connections: the one that a lemma made, and the one made to it (its
// ear). Internal to the layer.
#pragma once

#include <hawser/net/connection_options.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/noam/detail/room_process.hpp>
#include <hawser/noam/ear_queue.hpp>
#include <hawser/process/next.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hawser::noam::detail {

/// Feeds a queue into the connection it lives in, as fast as the lemma reads.
class EarFeed {
 public:
  EarFeed(std::shared_ptr<const HostOptions> options, LinkKind kind, bool attenuated);

  Next deliver(DeliverEvent message);
  Next acknowledge(Acknowledge message);
  Next tick();
  /// The connection stands: what waited leaves.
  void open();
  /// Sends what waits while there is room.
  void flush();
  std::size_t waiting() const noexcept { return queue_.size(); }
  std::uint64_t dropped() const noexcept { return queue_.dropped(); }

 private:
  void send(const EarQueue::Item& item);
  void send(const RelayedEvent& event);
  void arm();

  std::shared_ptr<const HostOptions> options_;
  EarQueue queue_;
  LinkKind kind_;
  bool open_;
};

inline constexpr std::string_view attenuation_timer = "attenuation";

/// To a TCP lemma. It ends with the connection: it is not made again.
class Ear {
 public:
  Ear(std::shared_ptr<const HostOptions> options, bool attenuated)
      : feed_(std::move(options), LinkKind::tcp, attenuated) {}

  void handle_connect();
  Next handle_disconnect(const Reason& reason) { return stop(reason); }
  /// A lemma says nothing here.
  void handle_packet(Packet) {}
  Next handle_cast(DeliverEvent message) { return feed_.deliver(std::move(message)); }
  Next handle_cast(Acknowledge message) { return feed_.acknowledge(std::move(message)); }
  void handle_drained() { feed_.flush(); }
  Next handle_timer(std::string_view) { return feed_.tick(); }
  std::string describe() const;

 private:
  EarFeed feed_;
};

/// From a lemma, and over WebSocket also to it.
class HostConnection {
 public:
  HostConnection(std::string room, std::shared_ptr<const HostOptions> options, LinkKind kind)
      : room_name_(std::move(room)),
        options_(options),
        kind_(kind),
        feed_(std::move(options), kind, false) {}

  Next init();
  void handle_packet(Packet json);
  void handle_passive();
  Next handle_cast(const CloseLink& message) { return stop(message.why); }
  Next handle_cast(DeliverEvent message) { return feed_.deliver(std::move(message)); }
  Next handle_cast(Acknowledge message) { return feed_.acknowledge(std::move(message)); }
  void handle_drained() { feed_.flush(); }
  Next handle_timer(std::string_view timer);
  std::string describe() const;

 private:
  void stays();

  std::string room_name_;
  std::shared_ptr<const HostOptions> options_;  // one for all connections of the host
  LinkKind kind_;
  EarFeed feed_;
  Ref<RoomProcess> room_;
  bool may_stay_ = false;  // it has registered, or need not
  std::uint64_t ignored_ = 0;
};

}  // namespace hawser::noam::detail
