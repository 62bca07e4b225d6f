// Searches for the octets that mean something in a frame's head, sixteen at a time where the
// machine can. Internal; pure. Nothing here reads outside [begin, end).
#pragma once

#include <bit>
#include <cstddef>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace hawser::stomp::detail {

/// What one line of a head is made of.
struct LineScan {
  const char* stop = nullptr;   ///< its LF, or the first NUL, or `end` when neither is there yet
  const char* colon = nullptr;  ///< the first ':' before stop, or nullptr
  bool backslash = false;       ///< is there one before stop?
};

inline LineScan scan_line(const char* begin, const char* end) noexcept {
  LineScan result;
  const char* at = begin;
#if defined(__SSE2__)
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i nul = _mm_setzero_si128();
  const __m128i colon = _mm_set1_epi8(':');
  const __m128i backslash = _mm_set1_epi8('\\');
  for (; end - at >= 16; at += 16) {
    const __m128i octets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto mask = [](__m128i matches) {
      return static_cast<unsigned>(_mm_movemask_epi8(matches));
    };
    const unsigned stops =
        mask(_mm_or_si128(_mm_cmpeq_epi8(octets, lf), _mm_cmpeq_epi8(octets, nul)));
    unsigned colons = mask(_mm_cmpeq_epi8(octets, colon));
    unsigned backslashes = mask(_mm_cmpeq_epi8(octets, backslash));
    if (stops != 0) {
      const unsigned before = (stops & (0U - stops)) - 1U;
      colons &= before;
      backslashes &= before;
    }
    if (result.colon == nullptr && colons != 0) result.colon = at + std::countr_zero(colons);
    result.backslash |= backslashes != 0;
    if (stops != 0) {
      result.stop = at + std::countr_zero(stops);
      return result;
    }
  }
#endif
  for (; at != end; ++at) {
    if (*at == '\n' || *at == '\0') break;
    if (*at == ':' && result.colon == nullptr) result.colon = at;
    if (*at == '\\') result.backslash = true;
  }
  result.stop = at;
  return result;
}

/// So many octets head_marks() looks at.
constexpr std::size_t marks_at_once = 16;

/// Which of the octets from `at` on is an LF, a NUL, a ':' or a backslash, the first in the lowest
/// bit; none at `end` or behind it.
inline unsigned head_marks(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const auto marks = [](__m128i octets) {
    const auto is = [octets](char octet) { return _mm_cmpeq_epi8(octets, _mm_set1_epi8(octet)); };
    return static_cast<unsigned>(_mm_movemask_epi8(
        _mm_or_si128(_mm_or_si128(is('\n'), is('\0')), _mm_or_si128(is(':'), is('\\')))));
  };
  if (end - at >= 16) [[likely]]
    return marks(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
#endif
  unsigned found = 0;
  for (unsigned i = 0; i < marks_at_once && at + i != end; ++i)
    if (at[i] == '\n' || at[i] == '\0' || at[i] == ':' || at[i] == '\\') found |= 1U << i;
  return found;
}

/// The first NUL, LF, CR, ':' or backslash in [begin, end), or end.
inline const char* find_special(const char* begin, const char* end) noexcept {
  const char* at = begin;
#if defined(__SSE2__)
  const __m128i nul = _mm_setzero_si128();
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i colon = _mm_set1_epi8(':');
  const __m128i backslash = _mm_set1_epi8('\\');
  for (; end - at >= 16; at += 16) {
    const __m128i octets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i ends =
        _mm_or_si128(_mm_cmpeq_epi8(octets, nul),
                     _mm_or_si128(_mm_cmpeq_epi8(octets, lf), _mm_cmpeq_epi8(octets, cr)));
    const __m128i marks =
        _mm_or_si128(_mm_cmpeq_epi8(octets, colon), _mm_cmpeq_epi8(octets, backslash));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(ends, marks)));
    if (mask != 0) return at + std::countr_zero(mask);
  }
#endif
  for (; at != end; ++at) {
    if (*at == '\0' || *at == '\n' || *at == '\r' || *at == ':' || *at == '\\') break;
  }
  return at;
}

}  // namespace hawser::stomp::detail
