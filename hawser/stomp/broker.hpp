// The handler of a broker's STOMP connections: joins a BrokerSession to its connection and its bus.
// Public; made by broker_server().
#pragma once

#include <hawser/bus/bus.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/process.hpp>
#include <hawser/stomp/session.hpp>

#include <memory>
#include <optional>
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

class BrokerConnection final : private BrokerSession::Port {
 public:
  explicit BrokerConnection(std::shared_ptr<const BrokerOptions> options) noexcept;

  Next init();
  void handle_packet(Packet octets);
  void handle_info(Info& info);
  /// The peer has read enough of what we wrote.
  void handle_drained();
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

  void tick();

  std::shared_ptr<const BrokerOptions> options_;  // one for all connections of the server
  bus::Bus bus_;
  std::optional<BrokerSession> session_;
  std::optional<Process::TimerId> timer_;
};

/// A STOMP server as a child for a supervisor. `server.framing` is set here; all else is as in any
/// server.
ChildSpec broker_server(std::string name, ServerOptions server, BrokerOptions options = {});

}  // namespace hawser::stomp
