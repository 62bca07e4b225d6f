// A ready-made handler for a raw client: logs in, sends the same frames after each login, and
// acknowledges what comes (S-31). Public; the smallest thing that consumes, and an example of raw
// mode. Everything beyond that is Client's own.
//
//   system.start(stomp::client<stomp::RecordedSession<Print>>("feed",
//       {.targets = "broker:61613", .raw = true},
//       stomp::Recording{.connect = …, .after_connected = {subscribe_frame}}));
#pragma once

#include <hawser/base/log.hpp>
#include <hawser/process/self.hpp>
#include <hawser/stomp/client.hpp>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hawser::stomp {

struct Recording {
  std::string virtual_host = "/";
  /// Further headers of CONNECT: login, passcode, heart-beat, client-id.
  std::vector<Header> connect{};
  /// Sent after each CONNECTED, in order: SUBSCRIBE frames, usually.
  std::vector<Frame> after_connected{};
};

/// `Hook` may define handle_frames(std::span<const Frame>) (S-32), which sees every batch before it
/// is acknowledged, CONNECTED too.
template <class Hook>
class RecordedSession {
 public:
  explicit RecordedSession(Recording recording, Hook hook = {})
      : recording_(std::move(recording)), hook_(std::move(hook)) {}

  void handle_open() {
    Frame connect{.command = Command::connect};
    connect.add("accept-version", "1.0,1.1,1.2").add("host", recording_.virtual_host);
    for (const Header& header : recording_.connect) connect.add(header.name, header.value);
    write({&connect, 1});
  }
  void handle_frames(std::span<const Frame> frames) {
    if constexpr (requires { hook_.handle_frames(frames); }) hook_.handle_frames(frames);
    if (frames.front().command == Command::connected) {
      version_ =
          find_version(frames.front().first("version").value_or("1.0")).value_or(Version::v1_0);
      if (!recording_.after_connected.empty()) write(recording_.after_connected);
      return;
    }
    std::vector<Frame> acks;
    for (const Frame& frame : frames)
      if (frame.command == Command::message && is_acknowledged(frame))
        acks.push_back(ack_of(frame));
    if (!acks.empty()) write(acks);
  }
  void handle_error(const Frame& frame) {
    self().log().warning(self().name(), std::string(frame.first("message").value_or("ERROR")));
  }
  void handle_disconnect(const Reason& reason) { self().log().info(self().name(), reason.text()); }

 private:
  /// Whether the subscription it came for was recorded with another mode than auto.
  bool is_acknowledged(const Frame& message) const {
    for (const Frame& frame : recording_.after_connected) {
      if (frame.command != Command::subscribe) continue;
      const bool same = version_ == Version::v1_0
                            ? frame.first("destination") == message.first("destination")
                            : frame.first("id") == message.first("subscription");
      if (same) return frame.first("ack").value_or("auto") != "auto";
    }
    return false;
  }
  Frame ack_of(const Frame& message) const {
    Frame ack{.command = Command::ack};
    if (version_ == Version::v1_2) {
      ack.add("id", message.first("ack").value_or(""));
      return ack;
    }
    ack.add("message-id", message.first("message-id").value_or(""));
    if (version_ == Version::v1_1)
      ack.add("subscription", message.first("subscription").value_or(""));
    return ack;
  }
  void write(std::span<const Frame> frames) {
    if (auto written = client().write_frames(frames); !written)
      self().log().error(self().name(), written.error().text());
  }

  Recording recording_;
  [[no_unique_address]] Hook hook_;
  Version version_ = Version::v1_2;
};

}  // namespace hawser::stomp
