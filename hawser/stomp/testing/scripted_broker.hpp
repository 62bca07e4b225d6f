// A broker for tests that does, octet by octet, what a test wants: it parses what comes, answers
// logins and receipts unless told otherwise, and can close, fall silent and come back. Internal to
// the tests of this layer and those above.
#pragma once

#include <hawser/net/testing/net_world.hpp>
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/parser.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser::stomp::testing {

inline Frame frame(Command command, std::vector<Header> headers = {}, std::string body = {}) {
  return {.command = command, .headers = std::move(headers), .body = Payload(body)};
}

class ScriptedBroker final : public AcceptEvents {
 public:
  class Link final : public StreamEvents {
   public:
    Link(Engine& engine, ScriptedBroker& broker) : engine_(engine), broker_(broker) {}
    ~Link() { close(); }
    void send(BytesView bytes) {
      if (SendQueue* queue = engine_.outgoing(id)) queue->append(bytes);
      engine_.wake();
    }
    void send(const Frame& frame) {
      Bytes out;
      if (!encode(out, frame, version)) throw std::runtime_error("a frame that cannot be sent");
      send(out);
    }
    void close(CloseMode mode = CloseMode::immediate) {
      if (id) engine_.close(std::exchange(id, {}), mode, Instant::never());
      engine_.wake();
    }
    void read(bool on) {
      on ? engine_.resume_receiving(id) : engine_.pause_receiving(id);
      engine_.wake();
    }
    /// Frames of that command so far.
    std::vector<Frame> of(Command command) const {
      std::vector<Frame> some;
      for (const Frame& each : frames)
        if (each.command == command) some.push_back(each);
      return some;
    }
    bool over() const { return ended || !id; }

    SocketId id;
    std::vector<Frame> frames;
    std::string octets;
    std::size_t beats = 0;
    Version version = Version::v1_2;
    bool ended = false;
    bool broken = false;  ///< what came was not STOMP

   private:
    void on_received(BytesView bytes) override {
      octets += bytes;
      FrameView view;
      for (;;) {
        switch (parser_.next(bytes, view)) {
          case Step::frame: {
            frames.push_back(view.to_frame());
            const Frame frame = frames.back();
            if (frame.command == Command::connect || frame.command == Command::stomp) {
              version = broker_.version;
              parser_.set_version(version);
            }
            broker_.on_frame(*this, frame);
            if (!id) return;
            continue;
          }
          case Step::heartbeat:
            ++beats;
            return;
          case Step::need_more:
            return;
          case Step::error:
            broken = true;
            return;
        }
      }
    }
    void on_end_of_stream() override { ended = true; }
    void on_failed(const Error&) override { ended = true; }

    Engine& engine_;
    ScriptedBroker& broker_;
    Parser parser_;
  };

  ScriptedBroker(Engine& engine, Address address) : engine_(engine), address_(std::move(address)) {
    open();
  }
  ~ScriptedBroker() { shut(); }
  void open() {
    auto listening = engine_.listen(address_, {}, *this);
    if (!listening) throw std::runtime_error(listening.error().text());
    id_ = listening->id;
    address_ = listening->bound;
    engine_.wake();
  }
  void shut() {
    if (id_) engine_.close_now(std::exchange(id_, {}));
    engine_.wake();
  }
  const Address& address() const { return address_; }

  /// Answers a login and every receipt.
  void answer(Link& link, const Frame& frame) {
    if (frame.command == Command::connect || frame.command == Command::stomp) {
      Frame connected{.command = Command::connected};
      if (version != Version::v1_0) connected.add("version", stomp::to_string(version));
      connected.add("heart-beat", heartbeat).add("server", "scripted/1");
      link.send(connected);
      return;
    }
    if (const auto receipt = frame.first("receipt"); receipt && receipts)
      link.send(testing::frame(Command::receipt, {{"receipt-id", Bytes(*receipt)}}));
    if (frame.command == Command::disconnect) link.close(CloseMode::graceful);
  }
  /// Frames of that command of all links, in the order of the links.
  std::vector<Frame> all(Command command) const {
    std::vector<Frame> some;
    for (const auto& link : links)
      for (const Frame& each : link->of(command)) some.push_back(each);
    return some;
  }
  Link& last() { return *links.back(); }

  std::vector<std::unique_ptr<Link>> links;
  std::function<void(Link&, const Frame&)> on_frame = [this](Link& link, const Frame& frame) {
    answer(link, frame);
  };
  Version version = Version::v1_2;
  std::string heartbeat = "0,0";
  bool receipts = true;

 private:
  void on_accepted(NativeSocket socket) override {
    auto link = std::make_unique<Link>(engine_, *this);
    auto id = engine_.adopt(std::move(socket), *link);
    if (!id) return;
    link->id = *id;
    engine_.resume_receiving(*id);
    links.push_back(std::move(link));
  }
  void on_accept_failed(const Error&, bool) override {}

  Engine& engine_;
  Address address_;
  SocketId id_;
};

}  // namespace hawser::stomp::testing
