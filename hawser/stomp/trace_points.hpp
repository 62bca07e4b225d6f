// The events of a broker's sessions that Telemetry subscribers get. Public; names only.
#pragma once

#include <hawser/process/telemetry.hpp>

namespace hawser::trace_point {

/// A client was told an ERROR; the words are its `message`.
inline constexpr TracePoint stomp_error{"stomp.error"};
/// One of them: a login that is not known, or a wrong passcode.
inline constexpr TracePoint stomp_login_refused{"stomp.login_refused"};

}  // namespace hawser::trace_point
