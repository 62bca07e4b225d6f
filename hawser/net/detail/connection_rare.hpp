// What a connection has only when it needs it, so that an idle one stays small. Internal to
// connection*.cpp.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/net/detail/packet_queue.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/transport.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

struct Connection::Rare {
  /// Somebody waits until the kernel has taken so many bytes of all that were ever queued.
  struct Receipt {
    std::uint64_t position;
    detail::WriteDone done;
  };

  std::optional<Framing> framing;
  std::optional<Address> peer;  // as a proxy told it
  std::string host;             // that was dialed
  detail::PacketQueue waiting;
  std::list<Receipt> receipts;  // in order of position; a list costs nothing while it is empty
  ReceiveAwaiter* receiver = nullptr;
  std::shared_ptr<detail::FileTransfer> file;  // shared with the job that reads it
  bool feeding = false;               // a task that waited for a packet has just got it, and runs
  std::unique_ptr<Transport> pushed;  // to be put on top when the callback is over
  // Of connections this client had before: their frames may still be on the stack.
  std::vector<std::unique_ptr<detail::TransportStack>> retired;

  bool empty() const noexcept {
    return !framing && !peer && host.empty() && waiting.empty() && waiting.dropped() == 0 &&
           receipts.empty() && receiver == nullptr && file == nullptr && pushed == nullptr &&
           retired.empty();
  }
};

}  // namespace hawser
