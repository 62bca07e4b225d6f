// Puts a user's handler into a connection. Public through server(); what a connection's handler may
// define, beside what any handler may (handler.hpp):
//   handle_packet(Packet)              -> void | Next             required
//   handle_packet(Bytes)               -> void | Next | Task<>    the packet as its own copy
//   handle_disconnect([const Reason&]) -> void | Next             the peer closed or was lost; the
//                                                                 connection ends after it
//   handle_end()                       -> void | Next             the peer will send no more; only
//                                                                 with HalfClose::allow
//   handle_drained()                   -> void | Next             unsent bytes, which had reached
//                                                                 the high-water mark, fell to the
//                                                                 low one
//   handle_upgrade()                   -> void | Next | Task<>    a transport that was pushed is
//                                                                 through its handshake
//   handle_passive()                   -> void | Next             the packets that activate(N)
//                                                                 allowed have been handled
//   handle_packet_timeout(BytesView)   -> void | Next             packet_timeout has passed: the
//                                                                 bytes there are of the packet.
//                                                                 Unless it stops, the rest gets
//                                                                 its time anew; without this
//                                                                 callback the connection ends
// A handler without handle_packet is one that only receives in its tasks (passive.hpp).
// Every callback may answer send(…), also init: that is a greeting.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/process/handler.hpp>
#include <hawser/process/scheduler.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace hawser {

template <class H>
concept HandlesPacket = requires(H& handler, Packet packet) { handler.handle_packet(packet); };
template <class H>
concept HandlesPacketCopy =
    requires(H& handler, Bytes packet) { handler.handle_packet(std::move(packet)); };
template <class H>
concept HasDisconnectReason =
    requires(H& handler, const Reason& reason) { handler.handle_disconnect(reason); };
template <class H>
concept HasDisconnect = requires(H& handler) { handler.handle_disconnect(); };
template <class H>
concept HasDrained = requires(H& handler) { handler.handle_drained(); };
template <class H>
concept HasUpgrade = requires(H& handler) { handler.handle_upgrade(); };
template <class H>
concept HasPassive = requires(H& handler) { handler.handle_passive(); };
template <class H>
concept HasPacketTimeout =
    requires(H& handler, BytesView partial) { handler.handle_packet_timeout(partial); };
template <class H>
concept HasEnd = requires(H& handler) { handler.handle_end(); };

/// `Kind` is Connection (accepted), or what gets its socket by itself (dialed, client).
template <class H, class Make, class Kind = Connection>
class HandlerConnection : public HandlerProcess<H, Make, Kind> {
  using Base = HandlerProcess<H, Make, Kind>;
  static_assert(HandlesPacket<H> || HandlesPacketCopy<H>,
                "the handler of a connection needs a public member `hawser::Next "
                "handle_packet(hawser::Packet packet)` (or one that takes hawser::Bytes)");

 public:
  template <class... KindArguments>
  explicit HandlerConnection(Make make, KindArguments&&... arguments)
      : Base(std::move(make), std::forward<KindArguments>(arguments)...) {}

  void* handler(const TypeInfo& type) noexcept override {
    // Whoever holds the pid may also talk to the connection itself.
    if (void* kind = this->kind_handler(type)) return kind;
    return Base::handler(type);
  }
  void deliver_info(Info& info) override {
    this->made() ? Base::deliver_info(info) : this->count_unexpected(info.type_name());
  }

 protected:
  void initialise() override { this->begin_kind(); }
  void make_handler() override { Base::initialise(); }
  /// As inside spawn: a handler whose init failed or declined is not asked to say goodbye.
  void terminate_handler(Reason& reason) override {
    if (this->made()) Base::terminate_handler(reason);
  }
  bool ends_in_its_own_time() const noexcept override {
    return this->made() && Base::ends_in_its_own_time();
  }

  Duration deliver_packet(Packet packet) override {
    if constexpr (HandlesPacket<H>) {
      using Answer = decltype(this->hosted().handle_packet(packet));
      static_assert(!detail::is_task<std::remove_cvref_t<Answer>>,
                    "a coroutine outlives the borrowed bytes of its packet: take hawser::Bytes "
                    "instead of hawser::Packet");
      return carry_out_packet([&]() -> Answer { return this->hosted().handle_packet(packet); });
    } else {
      using Answer = decltype(this->hosted().handle_packet(Bytes(packet)));
      return carry_out_packet(
          [&]() -> Answer { return this->hosted().handle_packet(Bytes(packet)); });
    }
  }

  void deliver_disconnect(const Reason& reason) override {
    if constexpr (HasDisconnectReason<H>) {
      detail::carry_out(*this, [&] { return this->hosted().handle_disconnect(reason); });
    } else if constexpr (HasDisconnect<H>) {
      detail::carry_out(*this, [&] { return this->hosted().handle_disconnect(); });
    }
  }

  bool handles_end() const noexcept override { return HasEnd<H>; }
  void deliver_end() override {
    if constexpr (HasEnd<H>) detail::carry_out(*this, [&] { return this->hosted().handle_end(); });
  }

  bool handles_packet_timeout() const noexcept override { return HasPacketTimeout<H>; }
  void deliver_packet_timeout(BytesView partial) override {
    if constexpr (HasPacketTimeout<H>)
      detail::carry_out(*this, [&] { return this->hosted().handle_packet_timeout(partial); });
  }

  void deliver_upgrade() override {
    if constexpr (HasUpgrade<H>)
      detail::carry_out(*this, [&] { return this->hosted().handle_upgrade(); });
  }
  void deliver_passive() override {
    if constexpr (HasPassive<H>)
      detail::carry_out(*this, [&] { return this->hosted().handle_passive(); });
  }

  bool handles_drained() const noexcept override { return HasDrained<H>; }
  void deliver_drained() override {
    if constexpr (HasDrained<H>)
      detail::carry_out(*this, [&] { return this->hosted().handle_drained(); });
  }

 private:
  template <class Call>
  Duration carry_out_packet(Call&& call) {
    using Answer = std::remove_cvref_t<std::invoke_result_t<Call>>;
    if constexpr (std::is_void_v<Answer>) {
      call();
      return Duration::max();
    } else if constexpr (std::is_same_v<Answer, Next>) {
      return this->take_answer(call());
    } else {
      static_assert(std::is_same_v<Answer, Task<void>>,
                    "handle_packet answers void, hawser::Next or (taking Bytes) hawser::Task<>");
      this->start(call());
      return Duration::max();
    }
  }
};

/// Starts a connection with handler H, which `make()` answers, on the group's scheduler (whose
/// thread this must be). The group's permit, if it has a limit, is used up in any case.
template <class H, class Make>
Result<Pid> start_connection(const std::shared_ptr<ConnectionGroup>& group, NativeSocket socket,
                             const SpawnOptions& options, Make make) {
  auto made = std::make_unique<HandlerConnection<H, Make>>(std::move(make), group);
  if (auto attached = made->attach(std::move(socket)); !attached)
    return std::unexpected(std::move(attached.error()));
  return group->scheduler().spawn(std::move(made), options);
}

}  // namespace hawser
