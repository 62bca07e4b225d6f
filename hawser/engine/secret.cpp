// Two draws of the engine's, as text.
#include <hawser/engine/secret.hpp>

#include <hawser/engine/engine.hpp>

#include <fmt/format.h>

#include <cstdint>

namespace hawser {

std::string make_secret(Engine& engine) {
  const std::uint64_t high = engine.secret_bits();
  return fmt::format("{:016x}{:016x}", high, engine.secret_bits());
}

}  // namespace hawser
