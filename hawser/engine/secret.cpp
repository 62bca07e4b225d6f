// The kernel's own generator, in one call that cannot be interrupted for so few bytes.
#include <hawser/engine/secret.hpp>

#include <hawser/base/check.hpp>
#include <hawser/engine/engine.hpp>

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cstdint>

namespace hawser {

std::string make_secret(Engine& engine) {
  std::array<std::uint64_t, 2> bits{};
  if (engine.info().name == "sim") {
    for (auto& each : bits) each = engine.random().next();
  } else {
    check(::getrandom(bits.data(), sizeof bits, 0) == static_cast<ssize_t>(sizeof bits),
          "the kernel has chance");
  }
  return fmt::format("{:016x}{:016x}", bits[0], bits[1]);
}

}  // namespace hawser
