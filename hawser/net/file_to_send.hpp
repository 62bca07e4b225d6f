// A file, or a part of one, that a connection shall send. Public; plain value.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace hawser {

/// See Connection::send_file().
struct FileToSend {
  /// To its end.
  static constexpr std::uint64_t rest = UINT64_MAX;

  FileToSend() = default;
  explicit FileToSend(std::string file, std::uint64_t begin = 0, std::uint64_t count = rest)
      : path(std::move(file)), offset(begin), size(count) {}

  std::string path{};        ///< of a regular file; opened and read on the blocking pool
  std::uint64_t offset = 0;  ///< of the first byte
  std::uint64_t size = rest;
  /// What goes in front, when the file is open and the number of bytes to come is known: an HTTP
  /// head, the length of a packet. Called on the connection's thread; sent as it is.
  std::function<std::string(std::uint64_t bytes)> head{};
};

}  // namespace hawser
