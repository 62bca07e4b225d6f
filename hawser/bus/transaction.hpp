// Publishes and settlements that happen together or not at all. Public; belongs to the process that
// collects it; nothing of it is known to the bus before Client::commit.
#pragma once

#include <hawser/bus/destination.hpp>
#include <hawser/bus/subscription.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace hawser::bus {

/// Dropping it is the abort: what it would have settled is as unsettled as it was.
class Transaction {
 public:
  struct Publish {
    Destination to;
    MessagePtr message;
  };

  void publish(Destination to, MessagePtr message) {
    bytes_ += message->size();
    publishes_.push_back({std::move(to), std::move(message)});
  }
  /// All of them must still be unsettled at the commit, or it fails: not_found.
  void settle(const Settlement& settlement) { settlements_.push_back(settlement); }

  std::size_t size() const noexcept { return publishes_.size() + settlements_.size(); }
  /// What its messages weigh; bounding it is its owner's business.
  std::size_t bytes() const noexcept { return bytes_; }
  const std::vector<Publish>& publishes() const noexcept { return publishes_; }
  const std::vector<Settlement>& settlements() const noexcept { return settlements_; }

 private:
  friend class Client;
  std::vector<Publish> publishes_;
  std::vector<Settlement> settlements_;
  std::size_t bytes_ = 0;
};

}  // namespace hawser::bus
