// A small model of what the bus promises: it numbers what publishers send and judges what
// subscribers get. Internal to tests/soak; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::soak {

class BusModel {
 public:
  /// The next body of one publisher (a connection) for one destination, `padding` octets longer
  /// than it need be.
  std::string next_body(std::uint64_t publisher, std::string_view destination, std::size_t padding);
  /// The name under which a body asks for a receipt, or what it was a receipt for.
  static std::string receipt_of(std::string_view destination, std::string_view body);

  /// The broker said that what asked for this receipt is in.
  void receipted(std::string_view receipt);
  /// The broker said that it is not.
  void refused(std::string_view receipt);

  /// `subscription` is unique over all clients and times.
  void delivered(std::uint64_t subscription, std::string_view destination, std::string_view body);

  /// Of the messages in this queue that were receipted, how many nobody got.
  std::size_t receipted_undelivered(std::string_view queue) const;
  /// Them, as publisher:number.
  std::string undelivered_text(std::string_view queue) const;
  std::size_t receipted_in(std::string_view queue) const;
  std::size_t delivered_in_all() const noexcept { return delivered_; }

  /// What was broken, in words; empty when nothing was.
  std::vector<std::string> faults;

 private:
  // (publisher, number) of one destination.
  using Message = std::pair<std::uint64_t, std::uint64_t>;
  struct Destination {
    std::map<std::uint64_t, std::uint64_t> sent;  // by publisher: how many
    std::set<Message> receipted;
    std::set<Message> refused;
    std::set<Message> delivered;  // queues only
  };
  bool read(std::string_view body, Message& message);

  std::map<std::string, Destination, std::less<>> destinations_;
  // By subscription, destination and publisher: the last number seen.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> seen_;
  std::size_t delivered_ = 0;
};

}  // namespace hawser::soak
