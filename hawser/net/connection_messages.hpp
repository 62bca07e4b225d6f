// What a connection can be asked and told from outside, by Ref<Connection>, and what it answers.
// Public; plain values.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/net/file_to_send.hpp>
#include <hawser/process/pid.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace hawser {

/// One connection in figures. Bytes are those of the network, frames included.
struct ConnectionInfo {
  Pid pid;
  Address peer;  ///< no address once the socket has failed
  Duration age{};
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::size_t unsent = 0;         ///< queued, and not yet taken by the kernel
  std::size_t waiting = 0;        ///< packets that wait beside the queue
  std::size_t waiting_bytes = 0;  ///< of those packets
  std::uint64_t dropped = 0;      ///< that went: too many waited, or a cast could not be sent
  bool reading = true;            ///< false while held: passive, at the high-water mark, suspended…
  bool handshaking = false;       ///< a transport is not through its handshake
};

/// cast to Ref<Connection>: sends one packet, as if the handler had answered it. One that cannot be
/// taken (also one that the framing cannot carry) is dropped and counted.
struct SendPacket {
  SendPacket() = default;
  explicit SendPacket(Payload bytes) : packet(std::move(bytes)) {}
  Payload packet;
};
/// call: the same, answered at once: whether the packet was accepted. Errors as send_packet().
struct OfferPacket {
  explicit OfferPacket(Payload bytes) : packet(std::move(bytes)) {}
  Payload packet;
  using Reply = bool;
};
/// call: answered when the kernel has taken all of the packet, or with the error that kept it from
/// that. The call's time-out does not take the packet back.
struct WritePacket {
  explicit WritePacket(Payload bytes) : packet(std::move(bytes)) {}
  Payload packet;
  using Reply = bool;
};
/// call: answered when the file has left, or with the error for which nothing of it was sent.
struct SendFile {
  explicit SendFile(FileToSend what) : file(std::move(what)) {}
  FileToSend file;
  using Reply = bool;
};
/// cast: Connection::activate(packets), from outside: whoever works on what a passive connection's
/// handler hands over lets it read on. Of a client without its server it changes nothing: the next
/// connection begins as its options say.
struct Activate {
  std::uint32_t packets = 0;
};
/// call of Ref<Connection>.
struct GetConnectionInfo {};

}  // namespace hawser
