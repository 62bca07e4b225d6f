// Passwords as they may lie in a configuration file: scrypt (RFC 7914) with a salt of its own each.
// Public; any thread. Hashing and checking take some 60 ms and 32 MiB on purpose: not on a
// scheduler's thread.
#pragma once

#include <hawser/base/result.hpp>

#include <string>
#include <string_view>

namespace hawser::hub {

/// "scrypt$15$8$1$SALT$KEY": log2 of N, r, p, then salt and key in hex. The salt comes from
/// OpenSSL's generator.
Result<std::string> hash_password(std::string_view password);

/// invalid_argument tells what is wrong with a text that hash_password cannot have made, or whose
/// parameters cost more than 1 GiB.
Result<void> check_password_hash(std::string_view hash);

/// False also for a hash that check_password_hash refuses.
bool verify_password(std::string_view password, std::string_view hash);

/// Remembers a password that was found good, without keeping it: a keyed digest (HMAC-SHA-256) that
/// is checked in about a microsecond.
class PasswordMemo {
 public:
  /// With a key of its own, from OpenSSL's generator.
  PasswordMemo();
  PasswordMemo(const PasswordMemo&) = delete;
  PasswordMemo& operator=(const PasswordMemo&) = delete;
  ~PasswordMemo();

  /// Of a login with its password and the hash that they were checked against. Never ends up equal
  /// for two others.
  std::string digest(std::string_view login, std::string_view password,
                     std::string_view hash) const;
  static bool equal(std::string_view left, std::string_view right) noexcept;

 private:
  std::string key_;
};

}  // namespace hawser::hub
