// A connection of the generator to a broker: connected, logged in, subscribed, with a time limit on
// each. Public; one thread.
#pragma once

#include <bench/load/sockets.hpp>
#include <bench/stomp/broker.hpp>
#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace hawser::bench {

class Peer {
 public:
  /// `source` picks the source address. Errors: those of a connect; refused (the broker's words),
  /// closed, timeout.
  static Result<Peer> open(const Broker& broker, unsigned source, unsigned heart_beat_ms,
                           Duration limit);

  /// Destinations in the broker's words; returns when all of them are subscribed. Messages that
  /// come meanwhile are an error (protocol_error).
  Result<void> subscribe(const std::vector<std::string>& destinations, Duration limit);

  /// The same without waiting for anything.
  Result<void> ask(const std::vector<std::string>& destinations, Duration limit);

  /// The socket, non-blocking.
  int fd() const noexcept { return socket_.get(); }
  Language language() const noexcept { return language_; }

 private:
  Result<void> send(BytesView bytes, Instant end);
  Result<void> subscribe(const std::vector<std::string>& destinations, bool wait, Instant end);
  /// Until something was confirmed: `login` by CONNECTED.
  Result<void> await(bool login, Instant end);

  Descriptor socket_{};
  Language language_ = Language::stomp;
  std::string unread_{};
};

}  // namespace hawser::bench
