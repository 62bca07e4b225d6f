// Options into CLI11, and a TOML file onto them.
#include "option_table.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <utility>

namespace hawser::app {

void OptionTable::add(const std::string& name, const std::string& type, const std::string& standard,
                      const std::string& help, Read read) {
  CLI::Option* option = app_->add_option_function<std::string>(
      "--" + name,
      [name, read](const std::string& text) {
        if (const std::string wrong = read(text); !wrong.empty())
          throw CLI::ValidationError("--" + name, wrong);
      },
      help);
  option->type_name(type);
  if (!group_.empty()) option->group(group_);
  if (!standard.empty()) option->default_str(standard);
  entries_.push_back({name, std::move(read), option});
}

void OptionTable::add_flag(const std::string& name, bool& target, const std::string& help) {
  CLI::Option* option = app_->add_flag("--" + name, target, help);
  if (!group_.empty()) option->group(group_);
}

void OptionTable::add_text(const std::string& name, const std::string& type, std::string& target,
                           const std::string& help) {
  add(name, type, target, help, [&target](std::string_view text) {
    target = text;
    return std::string{};
  });
}

void OptionTable::add_duration(const std::string& name, Duration& target, const std::string& help) {
  add(name, "TIME", duration_text(target), help, [&target](std::string_view text) {
    const auto duration = parse_duration(text);
    if (!duration) return duration.error().text();
    target = *duration;
    return std::string{};
  });
}

Result<std::int64_t> OptionTable::read_number(std::string_view text, std::int64_t least,
                                              std::int64_t most) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, number);
  if (fault != std::errc{} || stop != end || number < least || number > most)
    return std::unexpected(
        Error{ErrorKind::invalid_argument,
              0,
              {},
              fmt::format("'{}' is no whole number from {} to {}", text, least, most)});
  return number;
}

const OptionTable::Entry* OptionTable::find(std::string_view name) const {
  const auto found = std::ranges::find(entries_, name, &Entry::name);
  return found == entries_.end() ? nullptr : &*found;
}

namespace {

std::unexpected<Error> bad_file(ErrorKind kind, std::string what) {
  return std::unexpected(Error{kind, 0, {}, std::move(what)});
}

/// The value as it would be typed on the command line; nothing for what cannot be.
std::optional<std::string> as_typed(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  return std::nullopt;
}

}  // namespace

Result<void> OptionTable::apply_file(const std::string& path) const {
  std::ifstream file(path, std::ios::binary);
  std::string content;
  std::array<char, 4096> part{};
  while (file.read(part.data(), part.size()) || file.gcount() > 0)
    content.append(part.data(), static_cast<std::size_t>(file.gcount()));
  // A folder opens, but nothing can be read from it.
  if (!file.is_open() || file.bad())
    return bad_file(
        ErrorKind::not_found,
        system_error(errno, {}, fmt::format("{}: the file cannot be read", path)).text());
  toml::table table;
  try {
    table = toml::parse(content, path);
  } catch (const toml::parse_error& error) {
    return bad_file(ErrorKind::invalid_argument,
                    fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
  // In the order of lines, so that the first mistake in the file is the one reported.
  std::vector<std::pair<std::string, const toml::node*>> keys;
  for (auto&& [key, node] : table) keys.emplace_back(std::string(key.str()), &node);
  std::ranges::sort(keys, {}, [](const auto& each) { return each.second->source().begin.line; });
  for (const auto& [key, node] : keys) {
    if (node->is_table() && std::ranges::find(left_, key) != left_.end()) continue;
    const auto where = fmt::format("{}:{}", path, node->source().begin.line);
    const Entry* entry = find(key);
    if (entry == nullptr || node->is_table())
      return bad_file(
          ErrorKind::invalid_argument,
          fmt::format("{}: unknown {} '{}'", where, node->is_table() ? "table" : "key", key));
    const auto typed = as_typed(*node);
    if (!typed)
      return bad_file(ErrorKind::invalid_argument,
                      fmt::format("{}: {}: a string or a whole number is wanted", where, key));
    if (entry->option->count() > 0) continue;
    if (const std::string wrong = entry->read(*typed); !wrong.empty())
      return bad_file(ErrorKind::invalid_argument, fmt::format("{}: {}: {}", where, key, wrong));
  }
  return {};
}

}  // namespace hawser::app
