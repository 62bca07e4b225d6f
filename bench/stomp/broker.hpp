// A broker under load: where it is, which language it speaks, and which process pays for it.
// Public; plain values, any thread.
#pragma once

#include <bench/load/sockets.hpp>
#include <hawser/base/result.hpp>

#include <sys/types.h>
#include <string>
#include <string_view>

namespace hawser::bench {

enum class Language : unsigned char { stomp, nats };

struct Broker {
  std::string name{};
  Language language = Language::stomp;
  Endpoint at{};
  std::string login = "guest";
  std::string passcode = "guest";
  pid_t pid = 0;     ///< whose CPU time and memory are read; 0: nobody's
  bool own = false;  ///< a hub of ours, which the bars are for
};

/// Reads "rabbitmq=127.0.0.1:61613", "rabbitmq=stomp://me:secret@127.0.0.1:61613" or
/// "nats=nats://127.0.0.1:4222"; `pid` stays 0. Errors: invalid_argument.
Result<Broker> parse_broker(std::string_view text);

/// The process that listens at that port of this machine. Errors: not_found (nobody, or a process
/// of somebody else's that we may not look into).
Result<pid_t> listening_process(std::uint16_t port);

}  // namespace hawser::bench
