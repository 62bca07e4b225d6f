// Names that are keys: who knows one may do something, so nobody must be able to guess it, also not
// from others of its kind. Public; on the engine's thread.
#pragma once

#include <string>

namespace hawser {

class Engine;

/// 128 bits of the kernel's as 32 hexadecimal digits; under `sim`, of the engine's own chance, so
/// that a seed replays. (Engine::random() is for what need not be secret: its next numbers follow
/// from those before.)
std::string make_secret(Engine& engine);

}  // namespace hawser
