// Every fault on one line.
#include <hawser/base/faults.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {

Error faulty(std::string operation, std::span<const std::string> faults) {
  return {ErrorKind::invalid_argument, 0, std::move(operation),
          fmt::format("{}", fmt::join(faults, "; "))};
}

}  // namespace hawser
