// poll(2) over all of them, a step at a time.
#include "crowd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hawser::soak {
namespace {

constexpr std::size_t much = 300'000;

std::string packet(const std::string& payload) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> unsigned(shift));
  return out + payload;
}

void close_socket(int socket, bool reset) {
  if (reset) {
    const linger at_once{1, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ::close(socket);
}

}  // namespace

Crowd::Crowd(std::uint16_t port, std::string file, std::uint64_t seed)
    : port_(port), file_(std::move(file)), random_(seed) {}

Crowd::~Crowd() {
  for (const Client& each : clients_) ::close(each.socket);
}

void Crowd::come() {
  ++report_.connections;
  Client client;
  client.manner = static_cast<Manner>(random_() % manners);
  client.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (client.manner == Manner::slow_reader) {
    const int small = 4096;
    ::setsockopt(client.socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  }
  if (client.socket < 0 ||
      (::connect(client.socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
       errno != EINPROGRESS)) {
    ++report_.refused;
    if (client.socket >= 0) ::close(client.socket);
    return;
  }
  client.over = Clock::now() + std::chrono::seconds(4);
  switch (client.manner) {
    case Manner::echo:
    case Manner::half_close:
      for (auto count = 1 + random_() % 10; count > 0; --count) {
        const std::string each =
            packet(std::string(random_() % 3000, static_cast<char>('a' + count)));
        client.out += each;
        client.expected += each;
      }
      break;
    case Manner::reset:
      client.over = Clock::now() + std::chrono::milliseconds(random_() % 50);
      [[fallthrough]];
    case Manner::slow_reader:
      client.out = packet("much");
      client.expected = packet(std::string(much, 'm'));
      break;
    case Manner::half_packet:
      client.out = packet(std::string(100, 'h')).substr(0, 1 + random_() % 100);
      break;
    case Manner::crash:
      client.out = packet("crash");
      break;
    case Manner::stop:
      client.out = packet("stop");
      client.expected = packet("bye");
      break;
    case Manner::file:
      client.out = packet("file");
      client.expected = file_;
      break;
    case Manner::silent:
    case Manner::vanish:
      break;
  }
  clients_.push_back(std::move(client));
}

/// False at the end of what comes.
bool Crowd::read(Client& client) {
  char buffer[16384];
  const std::size_t most = client.manner == Manner::slow_reader ? 8192 : sizeof buffer;
  for (;;) {
    const ssize_t got = ::recv(client.socket, buffer, most, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    const auto size = static_cast<std::size_t>(got);
    if (client.expected.compare(client.read, size, buffer, size) != 0 && report_.wrong.empty()) {
      report_.wrong = "manner " + std::to_string(static_cast<int>(client.manner)) + " at byte " +
                      std::to_string(client.read);
    }
    client.read += size;
    if (client.manner == Manner::slow_reader) {
      client.next_read = Clock::now() + std::chrono::milliseconds(20);
      return true;
    }
  }
}

bool Crowd::step(Client& client, short events) {
  if ((events & POLLOUT) != 0 && client.manner == Manner::vanish) {
    finish(client, true);
    return false;
  }
  if ((events & POLLOUT) != 0 && !client.out.empty()) {
    const ssize_t sent = ::send(client.socket, client.out.data(), client.out.size(), MSG_NOSIGNAL);
    if (sent > 0) client.out.erase(0, static_cast<std::size_t>(sent));
    if (client.out.empty() && client.manner == Manner::half_close) {
      ::shutdown(client.socket, SHUT_WR);
      client.ended = true;
    }
  }
  const bool more = (events & (POLLIN | POLLHUP | POLLERR)) == 0 || read(client);
  const bool whole = client.out.empty() && client.read == client.expected.size();
  const bool waits_for_end = client.manner == Manner::silent || client.manner == Manner::crash ||
                             client.manner == Manner::half_packet ||
                             client.manner == Manner::half_close || client.manner == Manner::stop;
  if (!more || (whole && !waits_for_end)) {
    finish(client, whole);
    return false;
  }
  return true;
}

void Crowd::finish(Client& client, bool done) {
  done ? ++report_.done[static_cast<std::size_t>(client.manner)] : ++report_.cut;
  close_socket(client.socket, client.manner == Manner::reset);
}

void Crowd::run(unsigned rate, std::chrono::milliseconds length) {
  const auto begin = Clock::now();
  const auto between = std::chrono::nanoseconds(std::chrono::seconds(1)) / std::max(1U, rate);
  auto next = begin;
  std::vector<pollfd> polled;
  while (Clock::now() < begin + length) {
    for (; next <= Clock::now(); next += between) come();
    polled.clear();
    auto now = Clock::now();
    for (const Client& each : clients_) {
      const bool wants_out = !each.out.empty() || each.manner == Manner::vanish;
      const bool wants_in = each.manner != Manner::slow_reader || each.next_read <= now;
      polled.push_back({each.socket,
                        static_cast<short>((wants_out ? POLLOUT : 0) | (wants_in ? POLLIN : 0)),
                        0});
    }
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(next - now).count();
    ::poll(polled.data(), polled.size(), std::clamp(static_cast<int>(wait), 0, 10));
    now = Clock::now();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      bool stays = polled[i].revents == 0 || step(clients_[i], polled[i].revents);
      if (stays && clients_[i].over <= now) {
        // Who resets in the middle is done by that.
        finish(clients_[i], clients_[i].manner == Manner::reset);
        stays = false;
      }
      if (stays && kept != i) clients_[kept] = std::move(clients_[i]);
      if (stays) ++kept;
    }
    clients_.resize(kept);
  }
  for (const Client& each : clients_) ::close(each.socket);
  clients_.clear();
}

}  // namespace hawser::soak
