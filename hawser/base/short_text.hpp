// Copying and searching texts that are short nearly always: names, header lines, small bodies.
// There a call of the C library costs more than its work. Public; pure.
#pragma once

#include <hawser/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace hawser {

/// Copies `from` to `to`, which do not overlap; answers the end of the copy.
inline char* copy_text(char* to, BytesView from) noexcept {
  const std::size_t size = from.size();
  const char* const begin = from.data();
  // Two copies of one size that may overlap in the middle: no loop, no call.
  const auto both_ends = [&]<std::size_t length>() {
    char first[length];
    char last[length];
    std::memcpy(first, begin, length);
    std::memcpy(last, begin + size - length, length);
    std::memcpy(to, first, length);
    std::memcpy(to + size - length, last, length);
  };
  if (size > 32) {
    std::memcpy(to, begin, size);
  } else if (size >= 16) {
    both_ends.template operator()<16>();
  } else if (size >= 8) {
    both_ends.template operator()<8>();
  } else if (size >= 4) {
    both_ends.template operator()<4>();
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = begin[i];
  }
  return to + size;
}

/// Whether one of the octets is in the text.
template <char... octets>
bool contains_any(BytesView text) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
#if defined(__SSE2__)
  const auto found = [](__m128i block) {
    __m128i matches = _mm_setzero_si128();
    ((matches = _mm_or_si128(matches, _mm_cmpeq_epi8(block, _mm_set1_epi8(octets)))), ...);
    return _mm_movemask_epi8(matches) != 0;
  };
  const auto load = [](const char* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  if (text.size() >= 16) {
    for (; end - at > 16; at += 16)
      if (found(load(at))) return true;
    return found(load(end - 16));
  }
  if (text.size() >= 8) {
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::memcpy(&first, at, 8);
    std::memcpy(&last, end - 8, 8);
    return found(_mm_set_epi64x(last, first));
  }
#endif
  for (; at != end; ++at)
    if (((*at == octets) || ...)) return true;
  return false;
}

}  // namespace hawser
