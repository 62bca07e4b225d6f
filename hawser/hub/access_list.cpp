// Logins against hashes, destinations against rules.
#include <hawser/hub/access_list.hpp>

#include <hawser/stomp/destination.hpp>

#include <algorithm>
#include <utility>

namespace hawser::hub {
namespace {

// The user of who gives no login. No login can be this: "" never is one.
constexpr std::string_view nobody{};

// Checked for a login that does not exist, so that the time it takes does not tell.
constexpr std::string_view nobodys_hash =
    "scrypt$15$8$1$00000000000000000000000000000000$"
    "0000000000000000000000000000000000000000000000000000000000000000";

Error refused(std::string why) { return {ErrorKind::refused, 0, "login", std::move(why)}; }

}  // namespace

AccessList::AccessList(AccessRules rules)
    : rules_(std::make_shared<const AccessRules>(std::move(rules))) {}

void AccessList::replace(AccessRules rules) {
  auto fresh = std::make_shared<const AccessRules>(std::move(rules));
  {
    const std::lock_guard lock(mutex_);
    rules_.swap(fresh);
    known_good_.clear();
  }
  generation_.fetch_add(1, std::memory_order_relaxed);
}

std::shared_ptr<const AccessRules> AccessList::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

std::optional<Result<std::string>> AccessList::log_in_at_once(
    const stomp::LoginRequest& request) const {
  const auto now = rules();
  if (request.login.empty()) {
    if (!request.certificate_subject.empty())
      for (const auto& [name, user] : now->users)
        if (user.certificate == request.certificate_subject) return name;
    if (now->anonymous || now->open()) return std::string(nobody);
    return std::unexpected(refused("no login was given"));
  }
  if (now->open()) return request.login;
  const auto user = now->users.find(request.login);
  if (user == now->users.end() || user->second.password_hash.empty()) return std::nullopt;
  const std::string digest =
      memo_.digest(request.login, request.passcode, user->second.password_hash);
  const std::lock_guard lock(mutex_);
  const auto known = known_good_.find(request.login);
  if (known != known_good_.end() && PasswordMemo::equal(known->second, digest))
    return request.login;
  return std::nullopt;
}

Result<std::string> AccessList::log_in(const stomp::LoginRequest& request) const {
  if (auto known = log_in_at_once(request)) return *known;
  const auto now = rules();
  const auto user = now->users.find(request.login);
  const bool there = user != now->users.end() && !user->second.password_hash.empty();
  const bool good = verify_password(
      request.passcode, there ? std::string_view(user->second.password_hash) : nobodys_hash);
  if (!there) return std::unexpected(refused("there is no user of that login with a password"));
  if (!good) return std::unexpected(refused("the passcode is wrong"));
  std::string digest = memo_.digest(request.login, request.passcode, user->second.password_hash);
  const std::lock_guard lock(mutex_);
  known_good_.insert_or_assign(request.login, std::move(digest));
  return request.login;
}

bool AccessList::may(std::string_view user, BytesView destination,
                     const std::vector<std::string> UserRules::* list) const {
  const auto now = rules();
  if (now->open()) return true;
  const UserRules* found = nullptr;
  if (user == nobody) {
    if (now->anonymous) found = &*now->anonymous;
  } else if (const auto known = now->users.find(user); known != now->users.end()) {
    found = &known->second;
  }
  return found != nullptr && std::ranges::any_of(found->*list, [&](const std::string& rule) {
           return stomp::covers(rule, destination);
         });
}

bool AccessList::may_read(std::string_view user, BytesView destination) const {
  return may(user, destination, &UserRules::read);
}

bool AccessList::may_write(std::string_view user, BytesView destination) const {
  return may(user, destination, &UserRules::write);
}

}  // namespace hawser::hub
