// The simulated kernel's UDP: unicast, broadcast to a segment, multicast, several sockets on one
// port. Internal; one thread.
#pragma once

#include <hawser/engine/sim/detail/ground.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hawser::sim::detail {

class Datagrams {
 public:
  /// What one socket keeps for its reader before it drops (Linux's rmem_default).
  static constexpr std::size_t receive_capacity = 212'992;
  static constexpr std::size_t largest = 65'507;

  explicit Datagrams(Ground& ground) : ground_(ground) {}

  Result<int> open(HostIndex host, const Address& bind, const DatagramOptions& options);
  void close(HostIndex host, int number);
  Result<void> send(HostIndex host, int number, const Address& to, BytesView bytes,
                    std::uint32_t interface_index);
  Result<void> join(HostIndex host, int number, const Address& group,
                    std::uint32_t interface_index);
  /// A socket that gets an empty datagram for each interfaces_changed().
  Result<int> open_watch(HostIndex host);
  void interfaces_changed(HostIndex host);
  /// The oldest datagram waiting, or nullptr; pop() forgets it.
  DatagramSocket::Waiting* front(HostIndex host, int number);
  void pop(HostIndex host, int number);

  void arrive(std::uint32_t parcel);

 private:
  enum class Reach : std::uint8_t { one, broadcast, multicast };
  struct Parcel {
    HostIndex from_host = 0;
    HostIndex to_host = 0;
    Reach reach = Reach::one;
    std::uint32_t interface_index = 0;  // the one it comes in on
    Address from;
    Address to;
    Bytes bytes;
  };
  DatagramSocket* of(HostIndex host, int number);
  const Interface* broadcast_interface(const HostState& host, const Ip& to,
                                       std::uint32_t interface_index = 0) const;
  void post_to_segment(const Interface& way, const Parcel& parcel);
  void post(Parcel parcel);
  void schedule(const Parcel& parcel);
  void deliver(HostState& host, int number, const Parcel& parcel);

  Ground& ground_;
  std::vector<Parcel> parcels_;
  std::vector<std::uint32_t> vacant_;
};

}  // namespace hawser::sim::detail
