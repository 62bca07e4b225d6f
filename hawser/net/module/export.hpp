// What the author of a handler.so includes: the handler is an ordinary one (connection_handler.hpp
// has its callbacks), and one line at the end makes the file a module. Public.
//
//   struct Counter {
//     unsigned long count = 0;
//     hawser::Next handle_packet(hawser::Packet) { return hawser::send(std::to_string(++count)); }
//     hawser::Bytes export_state() const { return std::to_string(count); }
//     static hawser::Result<Counter> code_change(unsigned old_version, hawser::BytesView state);
//   };
//   HAWSER_EXPORT_HANDLER(Counter, 2)
//
// Beside its callbacks it may define
//   export_state() const -> Bytes              its state for the next version, in bytes whose
//                                              meaning the two versions agree on
//   static code_change(unsigned, BytesView)    -> Result<H>: a handler made of an older (or newer)
//                                              version's state. Its error, or what it throws, keeps
//                                              that connection on its old version
//   static code_change(unsigned) -> Result<H>  the same for a handler that needs no state
//   static framing() -> Framing                the framing it wants where the command line is
//                                              silent
//   static constexpr bool keep_loaded = true   never unload this version (docs/code_change.md says
//                                              when that is needed)
// The file is compiled with -fvisibility=hidden -fno-gnu-unique, and not linked with hawser: the
// program that loads it has hawser inside. CMake's hawser_handler_module() does all that.
#pragma once

#include <hawser/net/connection_handler.hpp>
#include <hawser/net/module/handler_module.hpp>
#include <hawser/net/module/stamp.hpp>
#include <hawser/process/self.hpp>

#include <concepts>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace hawser {

template <class H>
concept ExportsState = requires(const H& handler) {
  { handler.export_state() } -> std::convertible_to<Bytes>;
};
template <class H>
concept ChangesCode = requires(unsigned version, BytesView state) {
  { H::code_change(version, state) } -> std::same_as<Result<H>>;
};
template <class H>
concept ChangesCodeAnew = requires(unsigned version) {
  { H::code_change(version) } -> std::same_as<Result<H>>;
};
template <class H>
concept AsksForFraming = requires {
  { H::framing() } -> std::same_as<Framing>;
};
template <class H>
concept StaysLoaded = requires { requires H::keep_loaded; };

namespace detail {

/// Whatever a callback answers, as a Next: that is all that crosses the boundary.
template <class Call>
Next as_next(Call&& call) {
  using Answer = std::remove_cvref_t<std::invoke_result_t<Call>>;
  if constexpr (std::is_void_v<Answer>) {
    call();
    return keep();
  } else if constexpr (std::is_same_v<Answer, Task<void>>) {
    self().start(call());
    return keep();
  } else {
    static_assert(std::is_same_v<Answer, Next>,
                  "a callback answers void, hawser::Next or hawser::Task<>");
    return call();
  }
}

template <class H>
HandlerState own(std::unique_ptr<H> handler) noexcept {
  return {handler.release(),
          [](void* state) noexcept { const std::unique_ptr<H> gone(static_cast<H*>(state)); }};
}

template <class H>
Result<HandlerState> own(Result<H> handler) {
  if (!handler) return std::unexpected(std::move(handler.error()));
  return own(std::make_unique<H>(std::move(*handler)));
}

/// The table of functions for handlers of type H.
template <class H>
class ExportedHandler {
 public:
  static constexpr HandlerModule table() noexcept {
    static_assert(HandlesPacket<H> || HandlesPacketCopy<H>,
                  "the handler of a connection needs a public member `hawser::Next "
                  "handle_packet(hawser::Packet packet)` (or one that takes hawser::Bytes)");
    static_assert(std::is_default_constructible_v<H>,
                  "a module's handler is made without arguments, one for each connection");
    HandlerModule module;
    module.type = &type_info<H>;
    module.keep_loaded = StaysLoaded<H>;
    module.make = [] { return own(std::make_unique<H>()); };
    if constexpr (AsksForFraming<H>) module.framing = [] { return H::framing(); };
    add_callbacks(module);
    add_migration(module);
    return module;
  }

 private:
  static H& at(void* state) noexcept { return *static_cast<H*>(state); }

  static constexpr void add_callbacks(HandlerModule& module) noexcept {
    if constexpr (HasInit<H>)
      module.init = [](void* state) { return as_next([&] { return at(state).init(); }); };
    module.handle_packet = [](void* state, Packet packet) -> Next {
      if constexpr (HandlesPacket<H>) {
        using Answer = decltype(at(state).handle_packet(packet));
        static_assert(!is_task<std::remove_cvref_t<Answer>>,
                      "a coroutine outlives the borrowed bytes of its packet: take hawser::Bytes "
                      "instead of hawser::Packet");
        return as_next([&] { return at(state).handle_packet(packet); });
      } else {
        return as_next([&] { return at(state).handle_packet(Bytes(packet)); });
      }
    };
    if constexpr (HasInfo<H>)
      module.handle_info = [](void* state, Info& info) {
        return as_next([&] { return at(state).handle_info(info); });
      };
    if constexpr (HasTimeout<H>)
      module.timeout = [](void* state) { return as_next([&] { return at(state).timeout(); }); };
    if constexpr (HasDisconnectReason<H>) {
      module.handle_disconnect = [](void* state, const Reason& reason) {
        return as_next([&] { return at(state).handle_disconnect(reason); });
      };
    } else if constexpr (HasDisconnect<H>) {
      module.handle_disconnect = [](void* state, const Reason&) {
        return as_next([&] { return at(state).handle_disconnect(); });
      };
    }
    if constexpr (HasEnd<H>)
      module.handle_end = [](void* state) {
        return as_next([&] { return at(state).handle_end(); });
      };
    if constexpr (HasDrained<H>)
      module.handle_drained = [](void* state) {
        return as_next([&] { return at(state).handle_drained(); });
      };
    if constexpr (HasUpgrade<H>)
      module.handle_upgrade = [](void* state) {
        return as_next([&] { return at(state).handle_upgrade(); });
      };
    if constexpr (HasPassive<H>)
      module.handle_passive = [](void* state) {
        return as_next([&] { return at(state).handle_passive(); });
      };
    if constexpr (HasPacketTimeout<H>)
      module.handle_packet_timeout = [](void* state, BytesView partial) {
        return as_next([&] { return at(state).handle_packet_timeout(partial); });
      };
    if constexpr (HasShutdown<H>)
      module.handle_shutdown = [](void* state, const Reason& reason) {
        return as_next([&] { return at(state).handle_shutdown(reason); });
      };
    if constexpr (HasTerminate<H>)
      module.terminate = [](void* state, const Reason& reason) -> Reason {
        if constexpr (std::is_void_v<decltype(at(state).terminate(reason))>) {
          at(state).terminate(reason);
          return reason;
        } else {
          return at(state).terminate(reason);
        }
      };
    if constexpr (HasDescribe<H>)
      module.describe = [](const void* state) -> std::string {
        return static_cast<const H*>(state)->describe();
      };
  }

  static constexpr void add_migration(HandlerModule& module) noexcept {
    if constexpr (ExportsState<H>)
      module.export_state = [](const void* state) -> Bytes {
        return static_cast<const H*>(state)->export_state();
      };
    if constexpr (ChangesCode<H>)
      module.code_change = [](unsigned old_version, BytesView state) {
        return own(H::code_change(old_version, state));
      };
    if constexpr (ChangesCodeAnew<H>)
      module.code_change_anew = [](unsigned old_version) {
        return own(H::code_change(old_version));
      };
  }
};

consteval ModuleStamp make_stamp(std::string_view handler, unsigned version) {
  ModuleStamp stamp;
  stamp.version = version;
  stamp.handler = StampText<sizeof(stamp.handler)>{}.add(handler).text;
  stamp.abi = module_abi();
  return stamp;
}

}  // namespace detail
}  // namespace hawser

extern "C" {
#ifdef __clang__
// AddressSanitizer pads what it watches, and the loader reads these bytes by their size.
[[gnu::visibility("default"), clang::no_sanitize("address")]]
#else
[[gnu::visibility("default")]]
#endif
extern const hawser::ModuleStamp hawser_handler_stamp;
[[gnu::visibility("default")]] extern const hawser::HandlerModule hawser_handler_module;
}

/// Makes the file a module with this handler in this version: a number from 1 on that changes
/// whenever the code does. Once in a file, outside of namespaces, without a semicolon. (A macro,
/// since a template cannot have a C name.)
#define HAWSER_EXPORT_HANDLER(Handler, Version)                     \
  static_assert((Version) > 0, "versions of a handler begin at 1"); \
  constinit const hawser::ModuleStamp hawser_handler_stamp =        \
      hawser::detail::make_stamp(#Handler, Version);                \
  constinit const hawser::HandlerModule hawser_handler_module =     \
      hawser::detail::ExportedHandler<Handler>::table();
