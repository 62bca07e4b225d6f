// Options that have one name, one reader and one default on the command line and in the
// configuration file. Internal to the program; one thread.
#pragma once

#include <hawser/base/quantity.hpp>
#include <hawser/base/result.hpp>

#include <CLI/CLI.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::app {

class OptionTable {
 public:
  /// Reads a value into its place; answers what is wrong with it, or "".
  using Read = std::function<std::string(std::string_view)>;

  /// Options are added to `app`, which must outlive the table.
  explicit OptionTable(CLI::App& app) : app_(&app) {}
  OptionTable(const OptionTable&) = delete;
  OptionTable& operator=(const OptionTable&) = delete;

  /// What is added from here on stands under this heading in --help.
  void begin_group(std::string heading) { group_ = std::move(heading); }

  /// `name` without dashes; `type` and `standard` (the default) are shown by --help.
  void add(const std::string& name, const std::string& type, const std::string& standard,
           const std::string& help, Read read);

  /// --name, without a value; on the command line only.
  void add_flag(const std::string& name, bool& target, const std::string& help);

  // Each shows what its target holds now as the default.
  void add_text(const std::string& name, const std::string& type, std::string& target,
                const std::string& help);
  void add_duration(const std::string& name, Duration& target, const std::string& help);
  template <std::unsigned_integral T>
  void add_size(const std::string& name, T& target, const std::string& help) {
    add(name, "SIZE", size_text(target), help,
        [&target](std::string_view text) { return read_size(text, target); });
  }
  template <std::integral T>
  void add_number(const std::string& name, T& target, std::type_identity_t<T> least,
                  std::type_identity_t<T> most, const std::string& help,
                  const std::string& standard = {}) {
    add(name, "N", standard.empty() ? std::to_string(target) : standard, help,
        [&target, least, most](std::string_view text) {
          const auto number =
              read_number(text, static_cast<std::int64_t>(least), static_cast<std::int64_t>(most));
          if (!number) return number.error().text();
          target = static_cast<T>(*number);
          return std::string{};
        });
  }
  /// One of a few words.
  template <class T>
  void add_choice(const std::string& name, T& target, std::vector<std::pair<std::string, T>> words,
                  const std::string& help) {
    std::string list, standard;
    for (const auto& [word, value] : words) {
      list += (list.empty() ? "" : "|") + word;
      if (value == target) standard = word;
    }
    add(name, list, standard, help,
        [&target, list, words = std::move(words)](std::string_view text) -> std::string {
          for (const auto& [word, value] : words) {
            if (word != text) continue;
            target = value;
            return {};
          }
          return "'" + std::string(text) + "' is none of " + list;
        });
  }

  /// Reads a TOML file whose keys are the names of these options. What was given on the command
  /// line wins. Errors name the file and line: not_found (unreadable), invalid_argument (not TOML,
  /// an unknown key, a table, a wrong value).
  Result<void> apply_file(const std::string& path) const;
  /// A table of the file that somebody else reads.
  void leave_table(std::string name) { left_.push_back(std::move(name)); }

 private:
  struct Entry {
    std::string name;
    Read read;
    const CLI::Option* option;
  };
  const Entry* find(std::string_view name) const;

  template <class T>
  static std::string read_size(std::string_view text, T& target) {
    const auto size = parse_size(text);
    if (!size) return size.error().text();
    if (*size > std::numeric_limits<T>::max())
      return "'" + std::string(text) + "' is too large; at most " +
             size_text(std::numeric_limits<T>::max());
    target = static_cast<T>(*size);
    return {};
  }
  static Result<std::int64_t> read_number(std::string_view text, std::int64_t least,
                                          std::int64_t most);

  CLI::App* app_;
  std::string group_;
  std::vector<Entry> entries_;
  std::vector<std::string> left_;
};

}  // namespace hawser::app
