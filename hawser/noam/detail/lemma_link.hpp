// The process that joins a lemma's session to its sockets, and keeps the queue of events while
// handlers come and go. Internal to the layer.
#pragma once

#include <hawser/net/connection_group.hpp>
#include <hawser/net/datagram_socket.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/noam/lemma.hpp>
#include <hawser/noam/lemma_session.hpp>
#include <hawser/process/call.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser::noam::detail {

class LemmaLink final : private LemmaSession::Port, private AcceptEvents {
 public:
  /// From the handler's process.
  struct Attach {
    Pid handler;
  };
  struct SpeakFrame {
    Payload frame;
  };
  struct OfferFrame {
    OfferFrame(Payload framed, From<std::uint64_t> asker)
        : frame(std::move(framed)), from(std::move(asker)) {}
    Payload frame;
    From<std::uint64_t> from;
  };
  struct Ask {
    explicit Ask(From<LemmaStatus> asker) : from(std::move(asker)) {}
    From<LemmaStatus> from;
  };
  /// From the connections.
  struct Up {
    Pid connection;
  };
  struct Reversed {
    Pid connection;
    Address peer;
  };
  struct Frame {
    Pid connection;
    Bytes json;
  };
  struct Waits {
    Pid connection;
  };
  struct Written {
    Pid connection;
    std::size_t bytes = 0;
  };

  LemmaLink(std::string name, std::shared_ptr<const LemmaOptions> options);
  ~LemmaLink();

  void init();
  void handle_cast(const Attach& message);
  void handle_cast(SpeakFrame message);
  void handle_cast(OfferFrame message);
  void handle_cast(Ask message);
  void handle_cast(Confirm message);
  void handle_cast(Rediscover message);
  void handle_cast(const Up& message);
  void handle_cast(const Reversed& message);
  void handle_cast(const Frame& message);
  void handle_cast(const Waits& message);
  void handle_cast(const Written& message);
  void handle_info(Info& info);
  void handle_timer(std::string_view timer);
  std::string describe() const;

 private:
  // LemmaSession::Port
  void send_marco(BytesView marco) override;
  std::optional<std::uint16_t> open_callback() override;
  void connect(const Address& host) override;
  void write(const Payload& frame) override;
  void close_links() override;
  void heard(const EventView& event, BytesView topic) override;
  void changed(const LemmaChange& change) override;
  void lost(const EventLoss& loss) override;
  void odd(Oddity oddity) override;

  // AcceptEvents
  void on_accepted(NativeSocket socket) override;
  void on_accept_failed(const Error& error, bool paused) override;

  void arm();
  void end(Pid& connection);

  std::string name_;
  std::shared_ptr<const LemmaOptions> options_;
  Process* process_ = nullptr;
  std::optional<LemmaSession> session_;
  DatagramSocket discovery_;
  InterfaceWatch interfaces_;
  std::shared_ptr<ConnectionGroup> out_group_;  // shared with the connections
  std::shared_ptr<ConnectionGroup> in_group_;
  SocketId listening_;
  Pid out_;  // ours to the host, or the only one
  Pid in_;   // the host's to us
  Ref<Lemma> handler_;
  MonitorId watched_{};
  std::vector<EventLoss> untold_;  // while there is no handler
  Instant armed_ = Instant::never();
};

}  // namespace hawser::noam::detail
