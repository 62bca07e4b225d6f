// Which sanitizer this was built with. Public; compile-time constants.
#pragma once

#if defined(__has_feature)
#define HAWSER_HAS_FEATURE(name) __has_feature(name)
#else
#define HAWSER_HAS_FEATURE(name) 0
#endif

namespace hawser {

// GCC says it by a macro, Clang by a feature.
#if defined(__SANITIZE_ADDRESS__) || HAWSER_HAS_FEATURE(address_sanitizer)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif
#if defined(__SANITIZE_THREAD__) || HAWSER_HAS_FEATURE(thread_sanitizer)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif

/// May freed blocks be kept for the next who asks? One used again would hide a use after free.
inline constexpr bool recycles_memory = !address_sanitizer;

}  // namespace hawser

#undef HAWSER_HAS_FEATURE
