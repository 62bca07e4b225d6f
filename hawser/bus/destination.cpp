// Names of destinations in words.
#include <hawser/bus/destination.hpp>

#include <hawser/bus/detail/words.hpp>

#include <fmt/format.h>

namespace hawser::bus {

std::string describe(const Destination& destination) {
  const std::string_view kind = destination.kind == Destination::Kind::topic   ? "topic"
                                : destination.kind == Destination::Kind::queue ? "queue"
                                                                               : "subscription";
  constexpr std::size_t shown = 200;
  return fmt::format("{} \"{}{}\"", kind, destination.name.substr(0, shown),
                     destination.name.size() > shown ? "…" : "");
}

bool is_pattern(std::string_view name) noexcept {
  detail::Words words(name);
  while (const auto word = words.next())
    if (*word == "*" || *word == "#" || *word == ">") return true;
  return false;
}

}  // namespace hawser::bus
