// Who may log in to a broker, and what they may read and write there. Public: implement Access for
// a directory of your own; `hawser hub` has one from its configuration file. Thread-safe:
// connections of all schedulers share one object.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hawser::stomp {

/// Who somebody claims to be. Never log `passcode`.
struct LoginRequest {
  std::string login{};     ///< "" when CONNECT has none
  std::string passcode{};  ///< the same
  std::string host{};      ///< the virtual host that was asked for
  std::string client_id{};
  std::string peer{};                 ///< the address it comes from
  std::string certificate_subject{};  ///< of a verified TLS client certificate, RFC 2253; else ""
};

class Access {
 public:
  Access() = default;
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
  virtual ~Access() = default;

  /// The name by which the rules know whoever this is; an error refuses the login, and its text
  /// goes to the log but not to the peer. Runs on the blocking pool, a few at a time: it may wait.
  virtual Result<std::string> log_in(const LoginRequest& request) const = 0;
  /// The same where it can be told without waiting, on the connection's own thread; nothing: ask
  /// log_in().
  virtual std::optional<Result<std::string>> log_in_at_once(const LoginRequest& request) const {
    static_cast<void>(request);
    return std::nullopt;
  }

  /// `destination` as it stands in the frame ("/topic/a.*"); what a wildcard may match must be
  /// allowed altogether. Must not wait.
  virtual bool may_read(std::string_view user, BytesView destination) const = 0;
  virtual bool may_write(std::string_view user, BytesView destination) const = 0;

  /// Another number whenever the answers may be others than before: sessions remember them.
  virtual std::uint64_t generation() const noexcept { return 0; }
};

}  // namespace hawser::stomp
