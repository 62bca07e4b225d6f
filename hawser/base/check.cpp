// The end of a program whose own assumption turned out false.
#include <hawser/base/check.hpp>

#include <cstdio>
#include <cstdlib>

namespace hawser {

void fail_check(const char* what, std::source_location where) noexcept {
  std::fprintf(stderr, "hawser: check failed: %s\n  at %s:%u in %s\n", what, where.file_name(),
               where.line(), where.function_name());
  std::abort();
}

}  // namespace hawser
