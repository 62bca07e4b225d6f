// The project's version, in the one place from which CMake reads it too. Public.
#pragma once

#include <string_view>

namespace hawser {

inline constexpr std::string_view library_version = "0.1.0";

}  // namespace hawser
