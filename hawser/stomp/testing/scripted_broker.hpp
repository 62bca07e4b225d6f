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

class ScriptedBroker;

/// One client's connection.
class ScriptedLink final : public hawser::testing::BareStream {
 public:
  ScriptedLink(Engine& engine, ScriptedBroker& broker) : BareStream(engine), broker_(broker) {}
  using BareStream::send;
  void send(const Frame& frame) {
    Bytes out;
    if (!encode(out, frame, version)) throw std::runtime_error("a frame that cannot be sent");
    send(out);
  }
  /// Frames of that command so far.
  std::vector<Frame> of(Command command) const {
    std::vector<Frame> some;
    for (const Frame& each : frames)
      if (each.command == command) some.push_back(each);
    return some;
  }

  std::vector<Frame> frames;
  std::size_t beats = 0;
  Version version = Version::v1_2;
  bool broken = false;  ///< what came was not STOMP

 private:
  void on_received(BytesView bytes) override;

  ScriptedBroker& broker_;
  Parser parser_;
};

class ScriptedBroker final : public hawser::testing::BareListener<ScriptedLink> {
 public:
  using Link = ScriptedLink;

  ScriptedBroker(Engine& engine, Address address)
      : BareListener(engine, std::move(address),
                     [this](Engine& in) { return std::make_unique<Link>(in, *this); }) {}

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
  std::function<void(Link&, const Frame&)> on_frame = [this](Link& link, const Frame& frame) {
    answer(link, frame);
  };
  Version version = Version::v1_2;
  std::string heartbeat = "0,0";
  bool receipts = true;
};

inline void ScriptedLink::on_received(BytesView bytes) {
  BareStream::on_received(bytes);
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
        if (closed()) return;
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

}  // namespace hawser::stomp::testing
