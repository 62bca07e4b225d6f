// Splitting command lines and reading ready lines.
#include <bench/load/command.hpp>

#include <fmt/format.h>

#include <charconv>

namespace hawser::bench {

namespace {

Error bad_argument(const char* operation, std::string detail) {
  return {ErrorKind::invalid_argument, 0, operation, std::move(detail)};
}

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Where the '=' of NAME=VALUE is, if the unquoted beginning of a word is a variable's name.
std::size_t assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::string_view::npos;
  for (std::size_t i = 0; i < equals; ++i) {
    const char c = word[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (!letter && (!digit || i == 0)) return std::string_view::npos;
  }
  return equals;
}

}  // namespace

Result<Command> split_command(std::string_view line) {
  Command command;
  std::string word;
  bool in_word = false;
  std::size_t plain = 0;  // characters of the word before its first quote
  bool quoted = false;
  const auto end_word = [&] {
    if (!in_word) return;
    const std::size_t equals = assignment(word);
    if (command.words.empty() && equals != std::string::npos && (!quoted || equals < plain)) {
      command.environment.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    } else {
      command.words.push_back(std::move(word));
    }
    word.clear();
    in_word = quoted = false;
  };
  const auto mark_quoted = [&] {
    in_word = true;
    if (!quoted) plain = word.size();
    quoted = true;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (blank(c)) {
      end_word();
    } else if (c == '\'') {
      mark_quoted();
      const std::size_t close = line.find('\'', i + 1);
      if (close == std::string_view::npos) {
        return std::unexpected(bad_argument("split command", "a ' is not closed"));
      }
      word.append(line.substr(i + 1, close - i - 1));
      i = close;
    } else if (c == '"') {
      mark_quoted();
      for (++i; i < line.size() && line[i] != '"'; ++i) {
        if (line[i] == '\\' && i + 1 < line.size() &&
            std::string_view("\"\\$").find(line[i + 1]) != std::string_view::npos) {
          ++i;
        }
        word.push_back(line[i]);
      }
      if (i >= line.size()) {
        return std::unexpected(bad_argument("split command", "a \" is not closed"));
      }
    } else if (c == '\\') {
      if (i + 1 >= line.size()) {
        return std::unexpected(bad_argument("split command", "a \\ ends the line"));
      }
      mark_quoted();
      word.push_back(line[++i]);
    } else {
      in_word = true;
      word.push_back(c);
    }
  }
  end_word();
  if (command.words.empty()) {
    return std::unexpected(bad_argument("split command", "there is no program in it"));
  }
  return command;
}

Result<Ready> parse_ready(std::string_view line, std::string_view name) {
  constexpr std::string_view start = "ready ";
  if (!line.starts_with(start)) {
    return std::unexpected(Error{ErrorKind::not_found, 0, "parse ready line", "not a ready line"});
  }
  line.remove_prefix(start.size());
  Ready ready;
  bool has_address = false;
  while (!line.empty()) {
    std::size_t end = 0;
    while (end < line.size() && !blank(line[end])) ++end;
    const std::string_view field = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    if (field.starts_with(name) && field.substr(name.size()).starts_with('=')) {
      auto endpoint = parse_endpoint(field.substr(name.size() + 1));
      if (!endpoint) return std::unexpected(endpoint.error());
      ready.address = std::move(*endpoint);
      has_address = true;
    } else if (field.starts_with("pid=")) {
      const std::string_view digits = field.substr(4);
      const auto [rest, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), ready.pid);
      if (error != std::errc{} || rest != digits.data() + digits.size() || ready.pid <= 0) {
        return std::unexpected(bad_argument("parse ready line", "pid= wants a number above 0"));
      }
    }
  }
  if (!has_address || ready.pid == 0) {
    return std::unexpected(
        bad_argument("parse ready line", fmt::format("it needs {}= and pid=", name)));
  }
  return ready;
}

}  // namespace hawser::bench
