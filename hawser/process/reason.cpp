// Reasons and their one-line form.
#include <hawser/process/reason.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {

std::string_view to_string(Reason::Kind kind) noexcept {
  switch (kind) {
    case Reason::Kind::normal:
      return "normal";
    case Reason::Kind::shutdown:
      return "shutdown";
    case Reason::Kind::killed:
      return "killed";
    case Reason::Kind::crash:
      return "crash";
    case Reason::Kind::closed:
      return "closed";
    case Reason::Kind::timeout:
      return "timeout";
    case Reason::Kind::protocol_error:
      return "protocol_error";
    case Reason::Kind::overloaded:
      return "overloaded";
    case Reason::Kind::no_process:
      return "no_process";
    case Reason::Kind::failed:
      return "failed";
    case Reason::Kind::custom:
      return "custom";
  }
  return "custom";
}

Reason::Reason(Kind kind, std::string text)
    : kind_(kind), words_(std::make_shared<const Words>(Words{std::move(text), {}, {}})) {}

Reason Reason::crash(std::string what, std::string callback, std::string message) {
  Reason reason{Kind::crash};
  reason.words_ = std::make_shared<const Words>(
      Words{std::move(what), std::move(callback), std::move(message)});
  return reason;
}

std::string_view Reason::detail() const noexcept {
  return words_ == nullptr ? std::string_view{} : words_->detail;
}
std::string_view Reason::callback() const noexcept {
  return words_ == nullptr ? std::string_view{} : words_->callback;
}
std::string_view Reason::message() const noexcept {
  return words_ == nullptr ? std::string_view{} : words_->message;
}

std::string Reason::text() const {
  std::string line{to_string(kind_)};
  if (!detail().empty()) line += fmt::format(": {}", detail());
  if (!callback().empty()) line += fmt::format(", in {}", callback());
  if (!message().empty()) line += fmt::format(" on {}", message());
  return line;
}

}  // namespace hawser
