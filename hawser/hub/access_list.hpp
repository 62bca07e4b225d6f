// The hub's users and what each may read and write: what the tables [users.NAME] and [anonymous] of
// its configuration file say. Public; thread-safe, may be replaced while it is used.
//
//   [users.alice]
//   password-hash = "scrypt$15$8$1$…"       # hawser hub --hash-password
//   certificate = "CN=alice"                # instead of a password, over TLS
//   read = ["/topic/>", "/queue/jobs"]      # SUBSCRIBE
//   write = ["/topic/trains.*"]             # SEND
//
//   [anonymous]                             # who gives no login; without it nobody may be so
//   read = ["/topic/public.>"]
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/hub/password_hash.hpp>
#include <hawser/stomp/access.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::hub {

/// Destinations, `*` for one word and `>` for the rest; what is not listed is not allowed.
struct UserRules {
  std::string password_hash{};
  std::string certificate{};  ///< the subject of a verified client certificate, RFC 2253
  std::vector<std::string> read{};
  std::vector<std::string> write{};
};

struct AccessRules {
  std::map<std::string, UserRules, std::less<>> users{};
  std::optional<UserRules> anonymous{};

  /// Nothing was said about users: everybody may do everything.
  bool open() const noexcept { return users.empty() && !anonymous; }
};

/// Reads the two tables of a TOML file; what else is in it is not looked at. Errors name file, line
/// and key.
Result<AccessRules> read_access_rules(const std::string& path);
/// The same from text; `name` stands for the file in errors.
Result<AccessRules> parse_access_rules(std::string_view text, const std::string& name);

class AccessList final : public stomp::Access {
 public:
  explicit AccessList(AccessRules rules);

  /// Sessions that are open keep their user; what it may do is asked anew.
  void replace(AccessRules rules);

  Result<std::string> log_in(const stomp::LoginRequest& request) const override;
  std::optional<Result<std::string>> log_in_at_once(
      const stomp::LoginRequest& request) const override;
  bool may_read(std::string_view user, BytesView destination) const override;
  bool may_write(std::string_view user, BytesView destination) const override;
  std::uint64_t generation() const noexcept override {
    return generation_.load(std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<const AccessRules> rules() const;
  bool may(std::string_view user, BytesView destination,
           const std::vector<std::string> UserRules::* list) const;

  mutable std::mutex mutex_;
  std::shared_ptr<const AccessRules> rules_;
  mutable std::map<std::string, std::string, std::less<>> known_good_;  // login to digest
  PasswordMemo memo_;
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace hawser::hub
