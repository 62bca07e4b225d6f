// The sockets of one engine: one small entry each, found by index and checked by generation.
// Internal to the engines; belongs to the engine's thread.
#pragma once

#include <hawser/engine/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hawser::detail {

/// What the kernel can hold of a socket, as bits: an entry is recycled and its descriptor closed
/// only when none is left.
using Operations = std::uint8_t;
inline constexpr Operations receive_operation = 1;  // bytes or datagrams
inline constexpr Operations send_operation = 2;
inline constexpr Operations accept_operation = 4;
inline constexpr Operations connect_operation = 8;

enum class SocketKind : std::uint8_t { stream, listener, datagram };

/// Where a socket is in its life. Only `connecting`, `open` and `failed` are visible to its owner;
/// from `flushing` on its id is stale for everyone but the kernel's completions.
enum class SocketPhase : std::uint8_t {
  vacant,      ///< no socket: the entry waits in the free list
  connecting,  ///< streams: connect() began and has not ended
  open,
  failed,      ///< on_failed was or is about to be called; waits for the owner's close()
  flushing,    ///< graceful close: queued bytes are still leaving
  draining,    ///< graceful close: FIN sent, the peer's bytes are read and dropped until its FIN
  cancelling,  ///< the kernel is asked to let go of what it holds
};

/// What only few sockets need, so that it is not in every entry.
struct SocketExtra {
  std::string stash;       ///< streams: bytes that came in while paused
  Address address;         ///< connecting: the target; listeners, datagrams: the bound address
  StreamOptions accepted;  ///< listeners: options of accepted sockets
};

struct Socket {
  explicit Socket(SendPool& pool) noexcept : queue(pool) {}

  void* events =
      nullptr;      ///< StreamEvents, AcceptEvents or DatagramEvents, by kind; null once closed
  SendQueue queue;  ///< holds no memory while it is empty
  std::unique_ptr<SocketExtra> extra;
  std::size_t drain_mark = 0;  ///< notify_below's bytes, while notify is set
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  int number = -1;           ///< descriptor, or the simulated kernel's number
  std::int32_t failure = 0;  ///< errno to report in on_failed
  SocketKind kind = SocketKind::stream;
  SocketPhase phase = SocketPhase::vacant;
  Operations pending = 0;    ///< held by the kernel now (the core sets and clears these)
  Operations cancelled = 0;  ///< of those, the ones already asked back
  Operations failed_operation = 0;

  // What the owner wants.
  bool wanted : 1 = false;  ///< receiving (accepting, for listeners) is wanted
  bool shutdown_wanted : 1 = false;
  bool notify : 1 = false;
  bool timed : 1 = false;  ///< a close deadline was set
  bool reset : 1 = false;  ///< close with a reset
  bool leave : 1 = false;  ///< listeners: others hold the socket too
  // What has happened.
  bool shutdown_done : 1 = false;  ///< our FIN is on its way
  bool ended : 1 = false;          ///< the peer's FIN was seen
  bool end_reported : 1 = false;
  // Where the entry is listed. These outlive the socket: a list may still name a vacant entry.
  bool dirty : 1 = false;
  bool noticed : 1 = false;

  /// Free for the backend's use; zero for a new socket.
  std::uint32_t backend_bits = 0;
  std::uint32_t backend_number = 0;
  void* backend_pointer = nullptr;

  SocketId id() const noexcept { return {index, generation}; }
  bool owned() const noexcept {
    return phase == SocketPhase::connecting || phase == SocketPhase::open ||
           phase == SocketPhase::failed;
  }
  SocketExtra& with_extra() {
    if (!extra) extra = std::make_unique<SocketExtra>();
    return *extra;
  }
  bool has_stash() const noexcept { return extra && !extra->stash.empty(); }
};
static_assert(sizeof(Socket) <= 128, "an idle connection must stay small");

/// Entries never move, so a Socket& holds until the socket is erased. Erased entries are reused
/// with a new generation, the one erased last first (its memory is warm).
class SocketTable {
 public:
  /// `pool` lends memory to the sockets' queues and must outlive the table.
  explicit SocketTable(SendPool& pool) noexcept : pool_(pool) {}
  SocketTable(const SocketTable&) = delete;
  SocketTable& operator=(const SocketTable&) = delete;
  ~SocketTable();

  static constexpr std::size_t page_size = 256;
  /// Indexes stay below this (2^24), so that a backend can pack one into a few bits.
  static constexpr std::uint32_t max_sockets = std::uint32_t{1} << 24;

  Socket& insert(SocketKind kind, SocketPhase phase, int number);
  void erase(Socket& socket) noexcept;

  Socket& at(std::uint32_t index) noexcept { return pages_[index / page_size][index % page_size]; }
  /// The socket with this very generation, closing ones included; else nullptr.
  Socket* find(SocketId id) noexcept {
    if (id.index >= used_) [[unlikely]]
      return nullptr;
    Socket& socket = at(id.index);
    return socket.generation == id.generation && socket.phase != SocketPhase::vacant ? &socket
                                                                                     : nullptr;
  }

  /// Sockets that exist.
  std::size_t size() const noexcept { return size_; }
  /// Indexes ever given out: 0 … used() - 1.
  std::uint32_t used() const noexcept { return used_; }

 private:
  SendPool& pool_;
  std::vector<Socket*> pages_;  // raw memory, constructed entry by entry
  std::vector<std::uint32_t> vacant_;
  std::uint32_t used_ = 0;
  std::size_t size_ = 0;
};

}  // namespace hawser::detail
