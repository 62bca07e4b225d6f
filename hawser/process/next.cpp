// The part of an answer that few answers have.
#include <hawser/process/next.hpp>

namespace hawser {

Next::Rest::Rest() noexcept = default;
Next::Rest::~Rest() = default;

}  // namespace hawser
