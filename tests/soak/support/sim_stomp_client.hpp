// A STOMP client without any framework on a raw engine: it says what a test tells it to, right or
// wrong, and remembers what came. Internal to tests/soak; one thread.
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/parser.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::soak {

struct StompClientOptions {
  stomp::Version version = stomp::Version::v1_2;
  std::string heart_beat{};  ///< the header's value; "" sends none
  bool reads = true;
  bool logs_in = true;     ///< sends CONNECT by itself
  bool pipelines = false;  ///< sends CONNECT before it is connected and lets frames follow at once
};

class SimStompClient final : public StreamEvents {
 public:
  using Options = StompClientOptions;

  SimStompClient(Engine& engine, const Address& to, Options options = {});
  SimStompClient(const SimStompClient&) = delete;
  SimStompClient& operator=(const SimStompClient&) = delete;
  ~SimStompClient();

  // ---- what it says; false when the octets would go nowhere
  // --------------------------------------

  bool subscribe(std::string_view destination, std::string_view id, std::string_view receipt = {});
  bool unsubscribe(std::string_view id, std::string_view receipt = {});
  bool send(std::string_view destination, std::string_view body, std::string_view receipt = {});
  bool disconnect(std::string_view receipt = {});
  bool frame(const stomp::Frame& frame);
  bool raw(BytesView octets);
  void read(bool on);
  void end_sending();
  void close(CloseMode mode = CloseMode::immediate);

  // ---- what came
  // ---------------------------------------------------------------------------------

  /// May send frames and ask for another.
  bool may_send() const noexcept { return !closed && !over() && (logged_in || options_.pipelines); }
  /// The broker's side is over, in one way or the other.
  bool over() const noexcept { return ended || failed; }
  /// Its own end of the connection, as text; "" once that is gone.
  std::string address() const;
  bool has_receipt(std::string_view id) const;

  bool connected = false;  ///< the socket
  bool logged_in = false;  ///< CONNECTED came
  bool ended = false;
  bool failed = false;
  bool closed = false;  ///< by ourselves
  bool has_error = false;
  std::string error_message;  ///< the ERROR's `message`
  std::string error_body;
  std::string error_receipt;
  std::string garbled;  ///< what the parser says against the broker: must stay empty
  std::size_t frames_after_error = 0;
  std::vector<std::string> receipts;
  std::size_t messages = 0;
  std::uint64_t octets_in = 0;

  std::function<void(const stomp::FrameView&)> on_message;
  std::function<void(std::string_view receipt)> on_receipt;
  std::function<void(std::string_view receipt)> on_error;  ///< "" when it names none

 private:
  void on_connected() override;
  void on_received(BytesView bytes) override;
  void on_end_of_stream() override { ended = true; }
  void on_failed(const Error&) override { failed = true; }
  void log_in();
  void take(const stomp::FrameView& frame);

  Engine& engine_;
  Options options_;
  SocketId id_;
  stomp::Parser parser_;
  stomp::FrameView view_;
};

}  // namespace hawser::soak
