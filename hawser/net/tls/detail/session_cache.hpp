// A client's memory of sessions: the last one of each server, so that the next connection to it
// need not verify and sign anew. Internal to the TLS transport; any thread.
#pragma once

#include <hawser/net/tls/detail/openssl.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace hawser::detail {

class SessionCache {
 public:
  explicit SessionCache(std::size_t limit) noexcept : limit_(limit) {}

  void put(const std::string& server, OpensslSession session);
  /// The session to try, or nullptr. One of TLS 1.3 is used once only (RFC 8446, appendix C.4), so
  /// that nobody can tell two connections to be of one client.
  OpensslSession take(const std::string& server);
  /// A handshake with it failed.
  void forget(const std::string& server);
  std::size_t size() const;

 private:
  struct Entry {
    OpensslSession session;
    std::uint64_t age = 0;
  };
  void make_room();

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  std::uint64_t age_ = 0;
};

}  // namespace hawser::detail
