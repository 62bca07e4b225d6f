// The tables [users.NAME] and [anonymous] out of a TOML file.
#include <hawser/hub/access_list.hpp>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

namespace hawser::hub {
namespace {

std::unexpected<Error> bad(const std::string& name, const toml::node& node, std::string what) {
  return std::unexpected(Error{ErrorKind::invalid_argument,
                               0,
                               {},
                               fmt::format("{}:{}: {}", name, node.source().begin.line, what)});
}

Result<std::vector<std::string>> read_list(const std::string& name, std::string_view key,
                                           const toml::node& node) {
  std::vector<std::string> list;
  const auto* array = node.as_array();
  if (array == nullptr)
    return bad(name, node, fmt::format("{}: a list of destinations is wanted", key));
  for (const auto& each : *array) {
    const auto* text = each.as_string();
    if (text == nullptr || !(text->get().starts_with('/') || text->get() == ">"))
      return bad(
          name, each,
          fmt::format("{}: destinations are strings such as \"/topic/>\"; \">\" is all", key));
    list.push_back(text->get());
  }
  return list;
}

Result<UserRules> read_user(const std::string& name, const toml::table& table, bool anonymous) {
  UserRules user;
  for (auto&& [key, node] : table) {
    const std::string_view word = key.str();
    if (word == "read" || word == "write") {
      auto list = read_list(name, word, node);
      if (!list) return std::unexpected(std::move(list.error()));
      (word == "read" ? user.read : user.write) = std::move(*list);
    } else if (!anonymous && (word == "password-hash" || word == "certificate")) {
      const auto* text = node.as_string();
      if (text == nullptr) return bad(name, node, fmt::format("{}: a string is wanted", word));
      if (word == "certificate") {
        user.certificate = text->get();
        continue;
      }
      if (auto good = check_password_hash(text->get()); !good)
        return bad(name, node, good.error().text());
      user.password_hash = text->get();
    } else {
      return bad(name, node,
                 fmt::format("unknown key '{}'; there are {}read and write", word,
                             anonymous ? "" : "password-hash, certificate, "));
    }
  }
  if (!anonymous && user.password_hash.empty() && user.certificate.empty())
    return bad(name, table, "a user needs a password-hash or a certificate");
  return user;
}

}  // namespace

Result<AccessRules> parse_access_rules(std::string_view text, const std::string& name) {
  toml::table file;
  try {
    file = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument,
              0,
              {},
              fmt::format("{}:{}: {}", name, error.source().begin.line, error.description())});
  }
  AccessRules rules;
  if (const auto* node = file.get("anonymous")) {
    const auto* table = node->as_table();
    if (table == nullptr) return bad(name, *node, "anonymous is a table: [anonymous]");
    auto user = read_user(name, *table, true);
    if (!user) return std::unexpected(std::move(user.error()));
    rules.anonymous = std::move(*user);
  }
  if (const auto* node = file.get("users")) {
    const auto* table = node->as_table();
    if (table == nullptr) return bad(name, *node, "users are tables: [users.NAME]");
    for (auto&& [key, each] : *table) {
      const auto* one = each.as_table();
      if (one == nullptr || key.str().empty())
        return bad(name, each, "users are tables: [users.NAME]");
      auto user = read_user(name, *one, false);
      if (!user) return std::unexpected(std::move(user.error()));
      rules.users.emplace(std::string(key.str()), std::move(*user));
    }
  }
  return rules;
}

Result<AccessRules> read_access_rules(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad())
    return std::unexpected(
        Error{ErrorKind::not_found,
              0,
              {},
              system_error(errno, {}, fmt::format("{}: the file cannot be read", path)).text()});
  return parse_access_rules(text, path);
}

}  // namespace hawser::hub
