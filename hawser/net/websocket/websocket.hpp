// WebSocket (RFC 6455, with permessage-deflate of RFC 7692) as a transport: each packet is one
// message. Public: users name websocket_server() or websocket_client() in their options; a handler
// may ask the transport what was agreed. Belongs to the connection's thread. See docs/websocket.md.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/base/utf8.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/net/websocket/detail/extensions.hpp>
#include <hawser/net/websocket/detail/frame_head.hpp>
#include <hawser/net/websocket/http.hpp>
#include <hawser/net/websocket/options.hpp>
#include <hawser/process/timer_wheel.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hawser {

namespace websocket {
struct Agreement;
struct Scratch;
struct Settings;
class Deflater;
class Inflater;
}  // namespace websocket

class WebSocketTransport final : public Transport {
 public:
  explicit WebSocketTransport(std::shared_ptr<const websocket::Settings> settings);
  ~WebSocketTransport() override;

  // ---- what was agreed; valid once the transport is ready ---------------------------------------

  /// "" when there is none.
  std::string_view subprotocol() const noexcept { return rest().subprotocol; }
  bool compresses() const noexcept { return deflate_.on; }
  /// A server: what the client asked for. Empty at a client, and when `keep_request` is off.
  const HttpRequest& request() const noexcept;
  /// Of the request, without its query, on both sides.
  std::string_view path() const noexcept;

  // ---- now
  // ---------------------------------------------------------------------------------------

  /// Whether what was delivered last (or is being delivered) was a text message.
  bool last_was_text() const noexcept { return last_was_text_; }
  /// What is sent from now on, until it is changed: text or binary messages. `text` of the options
  /// to begin with. That text is UTF-8 is the sender's word.
  void set_outgoing_text(bool on) noexcept { outgoing_text_ = on; }
  bool outgoing_text() const noexcept { return outgoing_text_; }
  /// What our close frame will say (`code` 1000 … 4999), instead of what the Reason of the end
  /// stands for. `text` is cut to the 123 bytes there is room for.
  void set_goodbye(std::uint16_t code, std::string_view text);
  /// What the peer's close frame said: 0 before it has come, 1005 when it named no code.
  std::uint16_t close_code() const noexcept { return close_code_; }
  std::string_view close_text() const noexcept { return rest().close_text; }

  // ---- Transport
  // ---------------------------------------------------------------------------------

  void start(Link& link) override;
  void received(BytesView bytes) override;
  void resume() override;
  void received_end() override;
  void send(SendQueue& plain) override;
  bool send_packet(BytesView packet) override;
  void finish(const Reason& reason) override;
  bool keeps_packets() const noexcept override;
  std::size_t kept() const noexcept override {
    return rest().kept.size() + (inflate_pending_ || in_tail_ ? 1U : 0U);
  }
  void hibernate() override;
  std::string describe() const override;

 private:
  struct Opening;
  /// What a connection has only at times: most of them are idle, and shall be small.
  struct Rest {
    Rest() noexcept;
    ~Rest();
    std::string subprotocol{};
    std::string kept{};     // bytes of the wire that wait for the end of a hold
    std::string message{};  // the part of a message that has arrived
    std::string control{};  // the same of a control frame
    std::string close_text{};
    std::string goodbye_text{};  // what our close frame says
    std::unique_ptr<websocket::Inflater> inflater;
    std::unique_ptr<websocket::Deflater> deflater;
    bool empty() const noexcept {
      return subprotocol.empty() && kept.empty() && message.empty() && control.empty() &&
             close_text.empty() && goodbye_text.empty() && inflater == nullptr &&
             deflater == nullptr;
    }
  };
  const Rest& rest() const noexcept;
  /// Makes it.
  Rest& the_rest() {
    if (rest_ == nullptr) rest_ = std::make_unique<Rest>();
    return *rest_;
  }
  void drop_rest_if_empty() noexcept {
    if (rest_ != nullptr && rest_->empty()) rest_.reset();
  }
  class PingTimer final : public Timer {
   public:
    explicit PingTimer(WebSocketTransport& owner) noexcept : owner_(owner) {}

   private:
    void fire() override;
    WebSocketTransport& owner_;
  };
  enum class Went : std::uint8_t { on, out_of_bytes, stopped };

  // The handshake.
  void read_head(BytesView& in);
  void answer_client();
  void judge_server();
  void refuse(int status, std::string_view text, Reason reason);
  void begin(websocket::Agreement agreement);

  // Receiving (websocket_receive.cpp).
  void work(BytesView bytes);
  void work_on_kept();
  BytesView consume(BytesView in);
  Went read_frame_head(BytesView& in, websocket::Scratch& scratch);
  const char* fault_of(const websocket::FrameHead& head) const noexcept;
  Went begin_frame();
  Went read_control(BytesView& in);
  void handle_control(BytesView payload);
  void handle_close(BytesView payload);
  bool read_short_message(BytesView& in);
  Went read_whole_message(BytesView& in, websocket::Scratch& scratch);
  Went read_plain(BytesView& in, websocket::Scratch& scratch);
  Went read_compressed(BytesView& in, websocket::Scratch& scratch);
  Went inflate_from(BytesView& input, BytesView* in);
  Went take_inflated(BytesView bytes);
  void note_text(BytesView piece) noexcept;
  Went end_message(websocket::Scratch& scratch);
  void end_below();
  bool over() const noexcept { return over_ || link_->stopping(); }
  Went fail(std::uint16_t code, std::string text);

  // Sending (websocket_send.cpp).
  void write_head(SendQueue& to, websocket::FrameHead& head, websocket::Scratch& scratch) const;
  void write_frame(std::uint8_t opcode, std::uint8_t rsv, BytesView payload,
                   websocket::Scratch& scratch);
  void write_control(std::uint8_t opcode, BytesView payload);
  void write_close(std::uint16_t code, std::string_view text);
  void write_plain(SendQueue& plain, websocket::Scratch& scratch);
  bool write_compressed(SendQueue& plain, websocket::Scratch& scratch);

  // Silence.
  void heard();
  void on_timer();

  bool is_server() const noexcept;

  std::shared_ptr<const websocket::Settings> settings_;  // shared for real: by all of one maker
  Link* link_ = nullptr;
  std::unique_ptr<Opening> opening_;  // until the handshake is through
  std::unique_ptr<HttpRequest> request_;
  std::unique_ptr<Rest> rest_;
  websocket::DeflateAgreement deflate_;

  websocket::FrameHead head_;       // of the frame that is arriving
  std::uint64_t payload_done_ = 0;  // bytes of its payload that have been taken
  std::size_t fragments_ = 0;       // frames of the message
  Instant last_heard_;
  PingTimer timer_{*this};
  std::array<char, websocket::FrameHead::longest> partial_head_{};
  std::uint8_t partial_head_size_ = 0;
  std::uint8_t tail_left_ = 0;  // bytes of Inflater::tail still to be run
  Utf8Check utf8_;
  std::uint16_t close_code_ = 0;
  std::uint16_t goodbye_code_ = 0;  // 0: by the Reason
  bool outgoing_text_ = false;
  bool last_was_text_ = false;
  bool in_frame_ = false;
  bool in_message_ = false;
  bool message_is_text_ = false;
  bool message_is_compressed_ = false;
  bool lacks_end_ = false;        // the message so far, of text_end
  bool in_tail_ = false;          // the payload is through, Inflater::tail is being run
  bool inflate_pending_ = false;  // the inflater has more to give without more to take
  bool awaiting_pong_ = false;
  bool close_sent_ = false;
  bool over_ = false;  // nothing more is read
  bool ended_below_ = false;
  bool working_ = false;
};

/// Throw std::invalid_argument for options that validate() refuses.
TransportMaker websocket_server(WebSocketServerOptions options = {});
TransportMaker websocket_client(WebSocketClientOptions options = {});

}  // namespace hawser
