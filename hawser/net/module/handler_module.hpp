// The boundary between the program and a handler's shared object: one table of functions, filled by
// templates on the module's side (export.hpp), called by ModuleHandler on the program's. Internal
// to hawser/net/module.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/reason.hpp>
#include <hawser/process/type_name.hpp>

#include <memory>
#include <string>

namespace hawser {

/// One connection's handler, of a type that only its module knows.
using HandlerState = std::unique_ptr<void, void (*)(void*) noexcept>;

/// nullptr: the handler does not define that callback.
struct HandlerModule {
  /// The handler's type as messages of this object name it. Compared by address: another version's
  /// type of the same name is another type.
  const TypeInfo* type = nullptr;
  /// Code of this object outlives its connections in ways that nobody sees from outside.
  bool keep_loaded = false;

  HandlerState (*make)() = nullptr;
  Framing (*framing)() = nullptr;

  Next (*init)(void*) = nullptr;
  Next (*handle_packet)(void*, Packet) = nullptr;
  Next (*handle_info)(void*, Info&) = nullptr;
  Next (*timeout)(void*) = nullptr;
  Next (*handle_disconnect)(void*, const Reason&) = nullptr;
  Next (*handle_end)(void*) = nullptr;
  Next (*handle_drained)(void*) = nullptr;
  Next (*handle_upgrade)(void*) = nullptr;
  Next (*handle_passive)(void*) = nullptr;
  Next (*handle_packet_timeout)(void*, BytesView) = nullptr;
  Next (*handle_shutdown)(void*, const Reason&) = nullptr;
  Reason (*terminate)(void*, const Reason&) = nullptr;  ///< what others are told
  std::string (*describe)(const void*) = nullptr;

  Bytes (*export_state)(const void*) = nullptr;
  Result<HandlerState> (*code_change)(unsigned, BytesView) = nullptr;
  Result<HandlerState> (*code_change_anew)(unsigned) = nullptr;
};

}  // namespace hawser
