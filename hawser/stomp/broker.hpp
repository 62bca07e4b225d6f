// The handler of a broker's STOMP connections: joins a BrokerSession to its connection and its bus.
// Public; made by broker_server().
#pragma once

#include <hawser/bus/client.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/process.hpp>
#include <hawser/stomp/session.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace hawser {
struct ServerOptions;
struct ChildSpec;
}  // namespace hawser

namespace hawser::stomp {

struct BrokerOptions {
  SessionOptions session{};
  /// The bus its sessions meet on; it must have been started before the server.
  std::string bus = "default";
};

class BrokerConnection final : private BrokerSession::Port, private bus::ClientEvents {
 public:
  explicit BrokerConnection(std::shared_ptr<const BrokerOptions> options) noexcept;

  Next init();
  void handle_packet(Packet octets);
  void handle_info(Info& info);
  /// The peer has read enough of what we wrote.
  void handle_drained();
  /// Paused by the bus: see pause_changed.
  void handle_passive() {}
  void terminate(const Reason& reason);
  std::string describe() const;

 private:
  /// Time to look at the session's clock.
  struct Tick {};

  void write(BytesView octets) override;
  void write(const Payload& octets) override;
  bool has_room() override;
  void end(Reason reason) override;
  void publish(const bus::Destination& to, bus::MessagePtr message, std::uint64_t token) override;
  void subscribe(const bus::Destination& to, std::uint64_t number, std::uint32_t credit,
                 std::uint64_t token) override;
  void unsubscribe(const bus::Destination& to, std::uint64_t number, std::uint32_t taken,
                   std::uint64_t token) override;
  void grant(const bus::Destination& to, std::uint64_t number, std::uint32_t credit) override;

  void delivered(std::span<bus::Delivery> deliveries) override;
  void confirmed(std::uint64_t token) override;
  void refused(std::uint64_t token, const Error& error) override;
  void subscription_ended(std::uint64_t number, const Error& error) override;
  void browse_ended(std::uint64_t) override {}
  void pause_changed(bool paused) override;

  void tick();

  std::shared_ptr<const BrokerOptions> options_;  // one for all connections of the server
  std::optional<bus::Client> bus_;
  std::map<std::uint64_t, std::uint64_t> settled_;  // by subscription: deliveries up to this
  std::optional<BrokerSession> session_;
  std::optional<Process::TimerId> timer_;
};

/// A STOMP server as a child for a supervisor. `server.framing` is set here; all else is as in any
/// server.
ChildSpec broker_server(std::string name, ServerOptions server, BrokerOptions options = {});

}  // namespace hawser::stomp
