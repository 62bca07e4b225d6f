// The new program's side of a hand-over, on a blocking socket with a limit for each wait.
#include <hawser/engine/detail/passed_sockets.hpp>
#include <hawser/engine/detail/sockaddr.hpp>
#include <hawser/engine/detail/socket_setup.hpp>
#include <hawser/engine/take_over.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <utility>

namespace hawser {

namespace {

constexpr const char* operation = "take over";
constexpr std::size_t line_maximum = 1024;

Error protocol_error(std::string detail) {
  return {ErrorKind::protocol_error, 0, operation, std::move(detail)};
}

Error waited_in_vain() {
  return {ErrorKind::timeout, 0, operation, "the old program does not answer in time"};
}

bool set_limits(int number, Duration limit) noexcept {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
  // Zero would mean for ever.
  const timeval time{.tv_sec = static_cast<time_t>(microseconds / 1'000'000),
                     .tv_usec = std::max<suseconds_t>(microseconds % 1'000'000, 1)};
  return ::setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0 &&
         ::setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0;
}

}  // namespace

Result<TakeOver> TakeOver::begin(const std::string& path, Options options) {
  const Address address = Address::unix_path(path);
  const auto target = detail::to_sockaddr(address);
  if (!target) return std::unexpected(target.error());
  TakeOver over(
      NativeSocket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), detail::descriptor_closer()));
  const int number = over.stream_.number();
  if (number < 0 || !set_limits(number, options.limit)) {
    return std::unexpected(system_error(errno, operation));
  }
  if (::connect(number, target->get(), target->length) != 0) {
    return std::unexpected(detail::address_error(errno, operation, address));
  }
  // Whoever sits on the path gives us sockets that we are going to serve: it must be one of us.
  const auto server = detail::peer_credentials(number);
  if (!server) return std::unexpected(server.error());
  if (server->uid != ::geteuid() && server->uid != 0) {
    return std::unexpected(
        Error{ErrorKind::refused, 0, operation,
              fmt::format("{} is served by user {}, not by ours", path, server->uid)});
  }
  if (auto asked = over.ask(options); !asked) return std::unexpected(std::move(asked).error());
  return over;
}

Result<void> TakeOver::ask(Options options) {
  if (auto said = say("HANDOVER 1\n"); !said) return said;
  for (;;) {
    auto line = next_line();
    if (!line) return std::unexpected(std::move(line).error());
    const bool own = line->starts_with("SOCKET own ");
    if (own || line->starts_with("SOCKET leave ")) {
      if (unnamed_.empty()) {
        return std::unexpected(protocol_error("a socket was named that did not come"));
      }
      if (sockets_.size() >= options.sockets) {
        return std::unexpected(Error{ErrorKind::overloaded, 0, operation,
                                     fmt::format("more than {} sockets came", options.sockets)});
      }
      auto address = detail::local_address(unnamed_.front().number());
      if (!address) return std::unexpected(std::move(address).error());
      InheritedSocket& socket = sockets_.emplace_back();
      socket.name = line->substr(line->find(' ', 7) + 1);
      socket.address = *std::move(address);
      socket.socket = std::move(unnamed_.front());
      socket.leave_at_close = !own;
      unnamed_.erase(unnamed_.begin());
    } else if (*line == fmt::format("END {}", sockets_.size()) && unnamed_.empty()) {
      return {};
    } else if (line->starts_with("REFUSED ")) {
      return std::unexpected(Error{ErrorKind::refused, 0, operation, line->substr(8)});
    } else {
      return std::unexpected(
          protocol_error(fmt::format("\"{}\" is not what the old program should say here", *line)));
    }
  }
}

Result<void> TakeOver::confirm() {
  if (auto said = say("TAKEN\n"); !said) return said;
  const auto line = next_line();
  if (!line) return std::unexpected(line.error());
  if (*line == "STOPPED") return {};
  return std::unexpected(
      protocol_error(fmt::format("\"{}\" came where STOPPED was expected", *line)));
}

Result<std::string> TakeOver::next_line() {
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (unread_.size() >= line_maximum) {
      return std::unexpected(
          protocol_error(fmt::format("a line has more than {} bytes", line_maximum)));
    }
    auto received = detail::receive_descriptors(stream_.number(), line_maximum);
    if (!received) {
      if (received.error().code == EAGAIN) return std::unexpected(waited_in_vain());
      return std::unexpected(std::move(received).error());
    }
    if (received->bytes.empty()) {
      return std::unexpected(Error{ErrorKind::closed, 0, operation,
                                   "the old program closed before it had said everything"});
    }
    unread_ += received->bytes;
    std::ranges::move(received->sockets, std::back_inserter(unnamed_));
  }
}

Result<void> TakeOver::say(const std::string& line) {
  // So short that an empty socket buffer takes it whole.
  ssize_t sent = -1;
  do {
    sent = ::send(stream_.number(), line.data(), line.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(line.size())) return {};
  if (sent >= 0 || errno == EAGAIN) return std::unexpected(waited_in_vain());
  return std::unexpected(system_error(errno, operation));
}

}  // namespace hawser
