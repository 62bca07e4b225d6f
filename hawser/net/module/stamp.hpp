// What a handler's shared object says about itself before one instruction of it has run: for which
// hawser it was compiled, whose handler it is, in which version. Public through export.hpp; plain
// data, read out of the file.
#pragma once

#include <hawser/base/sanitizer.hpp>
#include <hawser/base/version.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/net/module/handler_module.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/task.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hawser {

/// Lies in the file's data under the name `hawser_handler_stamp`, zero-terminated texts in it.
struct ModuleStamp {
  static constexpr std::array<char, 8> expected_magic{'h', 'a', 'w', 's', 'e', 'r', 'M', '1'};

  std::array<char, 8> magic = expected_magic;
  std::uint32_t version = 0;
  std::array<char, 124> handler{};
  std::array<char, 256> abi{};
};

namespace detail {

/// Writes text and numbers into a fixed array; too long does not compile.
template <std::size_t size>
struct StampText {
  std::array<char, size> text{};
  std::size_t length = 0;

  constexpr StampText& add(std::string_view part) {
    // One stays zero. (at() of an array too small is no constant expression.)
    for (const char each : part) {
      text.at(length + 1) = '\0';
      text.at(length++) = each;
    }
    return *this;
  }
  constexpr StampText& add(std::size_t number) {
    if (number >= 10) add(number / 10);
    const char digit = static_cast<char>('0' + number % 10);
    return add(std::string_view(&digit, 1));
  }
};

}  // namespace detail

/// All on which the two sides of the boundary must agree: they hand each other C++ objects. Sizes
/// stand for the layout, so that a changed header is noticed between two releases too.
consteval std::array<char, 256> module_abi() {
  detail::StampText<256> abi;
  abi.add("hawser ").add(library_version);
#if defined(__clang__)
  abi.add(", clang ").add(std::size_t{__clang_major__});
#elif defined(__GNUC__)
  abi.add(", gcc ").add(std::size_t{__GNUC__});
#endif
#if defined(_GLIBCXX_RELEASE)
  abi.add(", libstdc++ ").add(std::size_t{_GLIBCXX_RELEASE});
#elif defined(_LIBCPP_VERSION)
  abi.add(", libc++ ").add(std::size_t{_LIBCPP_VERSION});
#endif
#if defined(_GLIBCXX_DEBUG)
  abi.add(" debug");
#endif
#if defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
  abi.add(" old strings");
#endif
  if constexpr (address_sanitizer) abi.add(", asan");
  if constexpr (thread_sanitizer) abi.add(", tsan");
  abi.add(", layout");
  for (const std::size_t size :
       {sizeof(Process), sizeof(Connection), sizeof(Scheduler), sizeof(Engine), sizeof(Message),
        sizeof(Next), sizeof(Reason), sizeof(Info), sizeof(Framing), sizeof(ConnectionOptions),
        sizeof(detail::TaskPromise<void>), sizeof(Transport), sizeof(HandlerModule)})
    abi.add(" ").add(size);
  return abi.text;
}

}  // namespace hawser
