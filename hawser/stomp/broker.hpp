// The handler of a broker's STOMP connections: joins a BrokerSession to its connection and its bus.
// Public; made by broker_server().
#pragma once

#include <hawser/bus/client.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/process.hpp>
#include <hawser/stomp/login_gate.hpp>
#include <hawser/stomp/session.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hawser {
struct ServerOptions;
struct ChildSpec;
}  // namespace hawser

namespace hawser::stomp {

struct BrokerOptions {
  SessionOptions session{};
  /// The bus its sessions meet on; it must have been started before the server.
  std::string bus = "default";
  bus::ClientOptions client{};
  /// Logins that Access::log_in checks at a time, of this server; further ones wait their turn.
  std::size_t logins_at_once = 2;
  /// WebSocket: what is UTF-8 goes out as text messages, all else as binary ones (W-03).
  bool websocket_text = false;
  /// WebSocket: the HTTP request's Basic credentials count where CONNECT has none (W-07).
  bool websocket_login = false;
};

class BrokerConnection final : private BrokerSession::Port, private bus::ClientEvents {
 public:
  /// What all connections of a server share.
  struct Shared {
    explicit Shared(BrokerOptions chosen)
        : options(std::move(chosen)), gate(std::make_shared<LoginGate>(options.logins_at_once)) {}
    const BrokerOptions options;
    const std::shared_ptr<LoginGate> gate;
  };

  explicit BrokerConnection(std::shared_ptr<const Shared> shared) noexcept;

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
  struct LoginJob;
  /// A login has been checked.
  struct LoginChecked {
    std::shared_ptr<LoginJob> job;
  };

  // The session's port.
  Bytes& output() override;
  void write(const Payload& octets) override;
  bool has_room() override;
  void read(bool on) override;
  bool read_from(int least) override;
  std::optional<Instant> last_arrival() override;
  void end(Reason reason) override;
  void log_in(LoginRequest request) override;
  std::int64_t wall_ms() override;
  std::string secret() override;
  void told_error(std::string_view message) override;
  bus::Sender sender(const bus::Destination& to) override;
  bool publish(bus::Sender to, bus::MessagePtr& message, std::uint64_t token) override;
  void declare_temporary(const bus::Destination& queue) override;
  void remove(const bus::Destination& queue, std::uint64_t token) override;
  void subscribe(std::uint64_t number, bus::Subscription subscription,
                 std::uint64_t token) override;
  void unsubscribe(std::uint64_t number, std::uint64_t last_seen, std::uint64_t token) override;
  void settle(const bus::Settlement& settlement, std::uint64_t token) override;
  void commit(bus::Transaction transaction, std::uint64_t token) override;

  // The bus's events.
  void delivered(std::span<bus::Delivery> deliveries) override;
  void confirmed(std::uint64_t token) override;
  void refused(std::uint64_t token, const Error& error) override;
  void subscription_ended(std::uint64_t subscription, const Error& error) override;
  void browse_ended(std::uint64_t subscription) override;
  void pause_changed(bool paused) override;

  SessionOrigin origin() const;
  void check_login();
  /// Ends a callback: what it gathered goes to the peer and to the bus, and a login that came
  /// through in it changes what the clock is watched for.
  void finish_turn();
  void send_output();
  void tick();

  std::shared_ptr<const Shared> shared_;  // shared for real: by all connections of the server
  std::optional<BrokerSession> session_;
  std::optional<bus::Client> client_;  // nothing when there was no bus
  std::shared_ptr<LoginJob> login_;    // shared for real: with the blocking pool while it checks
  std::optional<Process::TimerId> timer_;
  BrokerSession::State ticked_in_ = BrokerSession::State::login;
};

/// A STOMP server as a child for a supervisor. `server.framing` is set here; all else is as in any
/// server.
ChildSpec broker_server(std::string name, ServerOptions server, BrokerOptions options = {});

/// How STOMP is spoken over WebSocket (stomp.md 1.7).
struct BrokerWebSocket {
  std::string path = "/stomp";
  /// "https://example.org"; empty: any.
  std::vector<std::string> origins{};
  /// Lets in clients that offer none of v10.stomp, v11.stomp, v12.stomp.
  bool any_subprotocol = false;
};

/// Errors: what websocket_server() would throw for. For the end of ServerOptions::transports.
Result<TransportMaker> broker_websocket(const BrokerWebSocket& options, VersionSet versions);

}  // namespace hawser::stomp
