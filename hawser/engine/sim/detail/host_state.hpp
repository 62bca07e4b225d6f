// One simulated machine as its kernel sees it: interfaces, descriptors, ports and Unix paths.
// Internal; one thread. What streams and datagrams do with them stands in streams.hpp and
// datagrams.hpp.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/engine/sim/detail/links.hpp>

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace hawser::sim::detail {

/// An address without its port, IPv4 as IPv6's mapped form, to look up and compare.
struct Ip {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  static Ip of(const Address& address) noexcept;
  bool is_v4() const noexcept { return high == 0 && (low >> 32U) == 0xffffU; }
  std::uint32_t v4() const noexcept { return static_cast<std::uint32_t>(low); }
  bool is_any() const noexcept { return high == 0 && (low == 0 || (is_v4() && v4() == 0)); }
  bool is_loopback() const noexcept {
    return is_v4() ? (v4() >> 24U) == 127 : high == 0 && low == 1;
  }
  bool is_multicast() const noexcept {
    return is_v4() ? (v4() >> 28U) == 14 : (high >> 56U) == 0xffU;
  }
  auto operator<=>(const Ip&) const = default;
};

/// Whether a socket bound to `bound` takes what is sent to `to`, ports left aside.
bool serves(const Address& bound, bool ipv6_only, const Ip& to) noexcept;
/// Whether two sockets bound to one port get in each other's way.
bool overlap(const Address& left, bool left_v6_only, const Address& right,
             bool right_v6_only) noexcept;

/// What an engine learns about a descriptor; it then asks the kernel what there is.
enum class Readiness : std::uint8_t { readable, writable };

class Watcher {
 public:
  virtual void ready(SocketId id, Readiness what) = 0;

 protected:
  ~Watcher() = default;
};

struct StreamRef {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;
  friend bool operator==(StreamRef, StreamRef) noexcept = default;
};

struct Listener {
  Address bound;
  ListenOptions options;
  PeerCredentials credentials;  // of the program, when it began to listen
  std::deque<StreamRef> ready;  // handshake done, not accepted yet
  unsigned half_open = 0;
  bool full() const noexcept { return ready.size() + half_open > backlog; }
  std::size_t backlog = 0;
};

struct DatagramSocket {
  struct Waiting {
    Address from;
    Address to;
    std::uint32_t interface_index = 0;
    Bytes bytes;
  };
  Address bound;
  DatagramOptions options;
  std::vector<std::pair<Ip, std::uint32_t>> memberships;  // a group on an interface, each
  std::deque<Waiting> waiting;
  std::size_t waiting_bytes = 0;
};

enum class DescriptorKind : std::uint8_t { vacant, fresh_stream, stream, listener, datagram };

struct Descriptor {
  DescriptorKind kind = DescriptorKind::vacant;
  StreamRef stream;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<DatagramSocket> datagram;
  std::optional<Address> bind_to;  // of a stream that has not connected yet
  StreamOptions options;
  Watcher* watcher = nullptr;
  SocketId watched_as;
};

struct Interface {
  Address address;  // without port
  std::uint32_t index = 0;
  unsigned prefix = 16;  // bits of the network's part
  std::string segment;
};

class HostState {
 public:
  HostState(HostIndex host, std::string name) : index(host), name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }

  // ---- addresses -------------------------------------------------------------------------------
  bool owns(const Ip& ip) const noexcept;
  /// The local address for talking to `remote`; none when there is no way.
  std::optional<Address> source_for(const Address& remote) const;
  const Interface* interface_of(const Ip& ip) const noexcept;
  std::vector<NetworkInterface> list_interfaces() const;

  // ---- descriptors -----------------------------------------------------------------------------
  /// The lowest free number, as POSIX wants it (so that reuse comes quickly); -1 at the limit.
  int take_descriptor(DescriptorKind kind);
  void free_descriptor(int number) noexcept;
  Descriptor* find(int number) noexcept;
  std::size_t open_descriptors() const noexcept { return open_; }
  void notify(int number, Readiness what);
  /// Every descriptor and every binding is gone, as after a power failure; Unix files stay.
  void forget_everything();

  // ---- ports -----------------------------------------------------------------------------------
  /// A free ephemeral port (32768 … 60999), or 0.
  std::uint16_t take_ephemeral();
  void free_ephemeral(std::uint16_t port) noexcept;
  bool ephemeral_taken(std::uint16_t port) const noexcept { return ephemeral_[port]; }

  HostIndex index;
  bool up = true;
  bool paused = false;
  std::size_t descriptor_limit = 65'536;
  PeerCredentials credentials{1000, 1000, 1000};  // of programs that connect or listen from now on
  std::deque<int> accept_failures;                // errno values, for the next accepts
  std::vector<Interface> interfaces;
  std::uint32_t last_interface = 1;             // their numbers are not used twice; 1 is loopback
  std::vector<int> interface_watches{};         // descriptors
  std::multimap<std::uint16_t, int> listeners;  // by port
  std::multimap<std::uint16_t, int> datagrams;  // by port, in the order of binding
  std::map<std::string, int> unix_paths;        // -1: a file whose program is dead
  std::vector<Instant> blocking_threads = std::vector<Instant>(4);  // free again at

 private:
  std::string name_;
  std::vector<Descriptor> descriptors_;
  std::priority_queue<int, std::vector<int>, std::greater<>> vacant_;
  std::size_t open_ = 0;
  std::vector<bool> ephemeral_ = std::vector<bool>(65'536);
  std::uint16_t next_ephemeral_ = 32'768;
};

}  // namespace hawser::sim::detail
