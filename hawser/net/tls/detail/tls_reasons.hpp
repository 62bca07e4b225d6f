// Why TLS failed, in words for whoever reads the connection's reason. Internal to the TLS
// transport.
#pragma once

#include <hawser/process/reason.hpp>

#include <string_view>

namespace hawser::detail {

/// Takes the thread's OpenSSL errors. `declined`: why we ended it ourselves, or "". The peer
/// refused us or is not whom we trust: failed. It broke TLS: protocol_error.
Reason tls_failure(bool in_handshake, std::string_view declined);

}  // namespace hawser::detail
