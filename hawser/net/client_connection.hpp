// A connection that gets its socket back: dials, stands, is lost, waits, dials again, and keeps its
// handler and its queue all the while. Public: handlers reach theirs with client(); others drive
// one through Ref<Client>. Belongs to its scheduler's thread.
#pragma once

#include <hawser/net/client_options.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/net/detail/dialing.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hawser {

/// Made by client() or start_client(); a Ref<Client> to its pid takes WatchClient, UnwatchClient,
/// Reconnect (casts), GetClientStatus (call), and what any Ref<Connection> takes.
class Client : public Connection, private detail::Dialing::Owner {
 public:
  ~Client() override;

  ClientState state() const noexcept { return state_; }
  ClientStatus status() const;  ///< as GetClientStatus answers
  const ClientOptions& client_options() const noexcept { return client_options_; }

  /// What waits is sent from here on; until the connection is lost.
  void open_queue() { undivert(divert_closed); }
  /// Drops the connection there is, for this reason; the next one follows at once or after the
  /// back-off. What was not written yet is lost, and its senders are told.
  void disconnect(Reason reason);

  void handle_cast(WatchClient message);
  void handle_cast(UnwatchClient message);
  void handle_cast(Reconnect message);
  using Connection::handle_cast;
  ClientStatus handle_call(GetClientStatus) const { return status(); }
  using Connection::handle_call;

  std::string describe_state() override;

 protected:
  Client(std::shared_ptr<ConnectionGroup> group, ClientOptions options);

  /// Whether a connection is all that a target is asked for. Else the protocol above calls
  /// target_serves() when it is let in, and one that was lost before counts as an attempt that
  /// failed: the next target is tried.
  virtual bool serves_when_reached() const noexcept { return true; }
  void target_serves() { client_options_.targets.connected(*target_); }

  virtual void deliver_connect() = 0;
  virtual void deliver_state(const ClientChange& change) = 0;

  bool made() const noexcept override { return made_; }
  void* kind_handler(const TypeInfo& type) noexcept override;
  void begin_kind() override;
  void stand() override;
  void peer_gone(const Reason& reason) override;
  void give_up(Reason reason, bool by_reset) override;
  WaitingLimits waiting_limits() const noexcept override;
  void release_resources(const Reason& reason) noexcept override;

 private:
  class LostMessage;
  class ChangeMessage;
  class WaitTimer final : public hawser::Timer {
   public:
    explicit WaitTimer(Client& client) noexcept : client_(client) {}

   private:
    void fire() override;
    Client& client_;
  };

  void dialed(NativeSocket socket) override;
  void dial_failed(Reason reason) override;
  void dial();
  void lost();
  void attempt_failed(const Reason& reason);
  void wait_or_end(const Reason& reason);
  void change(ClientState state, const Reason& reason, Duration wait);
  void tell_state(LogLevel level, Duration wait, std::uint32_t attempt,
                  const TelemetryEvent::Words& words) const;

  ClientOptions client_options_;
  ReconnectPolicy policy_;
  const Target* target_ = nullptr;
  std::shared_ptr<detail::Dialing> dialing_;  // shared only with a look-up that may outlive it
  WaitTimer wait_{*this};
  std::vector<Pid> watchers_;
  Reason last_reason_;
  Reason losing_;
  std::uint64_t connects_ = 0;
  std::uint64_t losses_ = 0;
  std::uint32_t attempt_ = 0;
  ClientState state_ = ClientState::connecting;
  bool made_ = false;
  bool is_losing_ = false;
  bool by_peer_ = false;  // the peer closed in order
};

/// The client whose handler's callback or task runs now.
Client& client();

}  // namespace hawser
