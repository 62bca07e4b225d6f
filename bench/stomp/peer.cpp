// Logging in and subscribing: one step after another, since nothing is measured yet.
#include <bench/load/clock.hpp>
#include <bench/stomp/cutter.hpp>
#include <bench/stomp/frames.hpp>
#include <bench/stomp/peer.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace hawser::bench {

namespace {

/// Waits for the events; timeout when the end comes first.
Result<void> wait_for(int fd, short events, Instant end, const char* operation) {
  for (;;) {
    const Duration left = end - now();
    if (left <= Duration{0}) {
      return std::unexpected(
          Error{ErrorKind::timeout, 0, operation, "the broker does not answer in time"});
    }
    pollfd waiting = {fd, events, 0};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    if (poll(&waiting, 1, static_cast<int>(milliseconds)) > 0) return {};
  }
}

struct Answer {
  bool login = false;
  bool done = false;
  std::string wrong{};

  bool message(BytesView) {
    wrong = "a message comes before its time";
    return false;
  }
  void confirmed(BytesView) { done = true; }
  void failed(BytesView text) {
    wrong = text.substr(0, 300);
    std::ranges::replace(wrong, '\n', ' ');
  }
  void other(BytesView frame) { done = done || (login && frame.starts_with("CONNECTED")); }
};

}  // namespace

Result<Peer> Peer::open(const Broker& broker, unsigned source, unsigned heart_beat_ms,
                        Duration limit) {
  const Instant end = now() + limit;
  auto socket = start_connect(broker.at, source);
  if (!socket) return std::unexpected(socket.error());
  Peer peer;
  peer.socket_ = std::move(*socket);
  peer.language_ = broker.language;
  if (auto waited = wait_for(peer.fd(), POLLOUT, end, "connect"); !waited)
    return std::unexpected(waited.error());
  if (const int code = socket_error(peer.fd()); code != 0) {
    return std::unexpected(
        system_error(code, "connect", fmt::format("{}:{}", broker.at.host, broker.at.port)));
  }
  if (auto sent = peer.send(connect_frame(broker, heart_beat_ms), end); !sent)
    return std::unexpected(sent.error());
  if (auto answer = peer.await(true, end); !answer) return std::unexpected(answer.error());
  return peer;
}

Result<void> Peer::subscribe(const std::vector<std::string>& destinations, Duration limit) {
  const Instant end = now() + limit;
  if (auto sent = subscribe(destinations, true, end); !sent) return sent;
  return destinations.empty() ? Result<void>{} : await(false, end);
}

Result<void> Peer::ask(const std::vector<std::string>& destinations, Duration limit) {
  return subscribe(destinations, false, now() + limit);
}

Result<void> Peer::subscribe(const std::vector<std::string>& destinations, bool wait, Instant end) {
  std::string frames;
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    const bool last = i + 1 == destinations.size();
    frames += subscribe_frame(language_, destinations[i], i + 1, last && wait ? "ready" : "");
    if (!last && frames.size() < 32'768) continue;
    if (auto sent = send(frames, end); !sent) return sent;
    frames.clear();
  }
  return {};
}

Result<void> Peer::send(BytesView bytes, Instant end) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
      return std::unexpected(system_error(errno, "send"));
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    if (bytes.empty()) break;
    if (auto waited = wait_for(fd(), POLLOUT, end, "send"); !waited) return waited;
  }
  return {};
}

Result<void> Peer::await(bool login, Instant end) {
  Answer answer;
  answer.login = login;
  std::array<char, 16'384> piece;
  while (!answer.done) {
    if (auto waited = wait_for(fd(), POLLIN, end, login ? "login" : "subscribe"); !waited)
      return waited;
    const ssize_t got = recv(fd(), piece.data(), piece.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) {
      return std::unexpected(Error{ErrorKind::closed, 0, login ? "login" : "subscribe",
                                   "the broker closed the connection"});
    }
    unread_.append(piece.data(), static_cast<std::size_t>(got));
    unread_.erase(0, cut(language_, unread_, 0, answer));
    if (!answer.wrong.empty()) {
      return std::unexpected(
          Error{ErrorKind::refused, 0, login ? "login" : "subscribe", answer.wrong});
    }
  }
  return {};
}

}  // namespace hawser::bench
