// What a caller is told when its callee could not answer.
#include <hawser/process/call.hpp>

namespace hawser {

Error call_error(const Reason& reason) {
  switch (reason.kind()) {
    case Reason::Kind::no_process:
      return {ErrorKind::not_found, 0, "call", "no such process"};
    case Reason::Kind::overloaded:
      return {ErrorKind::overloaded, 0, "call", reason.text()};
    default:
      return {ErrorKind::closed, 0, "call", "the callee ended: " + reason.text()};
  }
}

}  // namespace hawser
