// A STOMP connection whose user writes and reads frames himself, as a state machine without I/O:
// all it does is to parse, to escape by the version it sees agreed, and to keep the heart-beats
// (S-05 … S-17). Public; belongs to the process that owns it.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/stomp/client_session.hpp>
#include <hawser/stomp/frame.hpp>
#include <hawser/stomp/liveness.hpp>
#include <hawser/stomp/parser.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hawser::stomp {

class RawSession {
 public:
  class Port {
   public:
    virtual void write(BytesView octets) = 0;
    virtual void end(Reason reason) = 0;
    /// What one piece of input completed, in order; CONNECTED and ERROR come alone.
    virtual void frames(std::span<const Frame> frames) = 0;

   protected:
    ~Port() = default;
  };

  /// Of the options, it heeds the parser's, login_timeout and liveness.
  RawSession(const ClientSessionOptions& options, Port& port, Instant now);
  RawSession(const RawSession&) = delete;
  RawSession& operator=(const RawSession&) = delete;

  /// All or none, in one write (S-06). invalid_argument names what cannot be sent.
  Result<void> write(std::span<const Frame> frames, Instant now);
  void received(BytesView octets, Instant now);
  Instant tick(Instant now);
  void wrote(Instant now) noexcept { liveness_.wrote(now); }
  void not_reading(Instant now) noexcept { liveness_.received(now); }
  Version version() const noexcept { return version_; }
  bool logged_in() const noexcept { return logged_in_; }

 private:
  void finish(Reason reason);
  void handle_connected(const Frame& frame);

  const ClientSessionOptions* options_;
  Port* port_;
  Parser parser_;
  Liveness liveness_;
  Heartbeat ours_{};  // what the CONNECT that was sent says (S-13)
  Version version_ = Version::v1_2;
  Instant started_;
  bool logged_in_ = false;
  bool ended_ = false;
};

}  // namespace hawser::stomp
