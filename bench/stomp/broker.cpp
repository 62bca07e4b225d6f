// Reading a broker from the command line, and finding its process through /proc.
#include <bench/load/usage.hpp>
#include <bench/stomp/broker.hpp>

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

namespace hawser::bench {

namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

/// Words of a line, parted by blanks; the word with that number, from 0.
BytesView word(BytesView line, int number) {
  for (;; --number) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::size_t end = std::min(line.find(' '), line.size());
    if (number == 0) return line.substr(0, end);
    line.remove_prefix(end);
  }
}

/// "socket:[INODE]" of the socket that listens there, or "".
std::string listening_socket(const char* table, std::uint16_t port) {
  const auto text = read_file(table);
  if (!text) return {};
  const std::string wanted = fmt::format(":{:04X}", port);
  BytesView rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const BytesView line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (word(line, 1).ends_with(wanted) && word(line, 3) == "0A")
      return fmt::format("socket:[{}]", word(line, 9));
  }
  return {};
}

bool holds(const std::string& process, const std::string& socket) {
  const std::string place = fmt::format("/proc/{}/fd", process);
  const Folder folder(opendir(place.c_str()), closedir);
  if (!folder) return false;
  while (const dirent* entry = readdir(folder.get())) {
    std::array<char, 64> target{};
    const ssize_t size =
        readlink(fmt::format("{}/{}", place, entry->d_name).c_str(), target.data(), target.size());
    if (size > 0 && socket == std::string_view(target.data(), static_cast<std::size_t>(size)))
      return true;
  }
  return false;
}

}  // namespace

Result<Broker> parse_broker(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "server",
              fmt::format("\"{}\" is not NAME=ADDRESS ({})", text.substr(0, text.find('=')), why)});
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return bad("there is no name");
  Broker broker;
  broker.name = text.substr(0, equals);
  std::string_view rest = text.substr(equals + 1);
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (rest.substr(0, scheme) == "nats") {
      broker.language = Language::nats;
    } else if (rest.substr(0, scheme) != "stomp") {
      return bad("stomp:// and nats:// are known");
    }
    rest.remove_prefix(scheme + 3);
  }
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = rest.substr(0, at);
    const std::size_t colon = who.find(':');
    if (colon == std::string_view::npos) return bad("LOGIN:PASSCODE@ wants a colon");
    broker.login = who.substr(0, colon);
    broker.passcode = who.substr(colon + 1);
    rest.remove_prefix(at + 1);
  }
  auto endpoint = parse_endpoint(rest);
  if (!endpoint) return bad("an IPv4 address and a port are wanted");
  broker.at = std::move(*endpoint);
  return broker;
}

Result<pid_t> listening_process(std::uint16_t port) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const std::string socket = listening_socket(table, port);
    if (socket.empty()) continue;
    const Folder folder(opendir("/proc"), closedir);
    while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
      const std::string_view name = entry->d_name;
      pid_t pid = 0;
      const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
      if (parsed.ec == std::errc{} && holds(std::string(name), socket)) return pid;
    }
  }
  return std::unexpected(Error{ErrorKind::not_found, 0, "find the broker's process",
                               fmt::format("nobody that we may see listens at port {}", port)});
}

}  // namespace hawser::bench
