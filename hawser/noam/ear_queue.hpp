// What waits on its way to one lemma: bounded, in order, and for dialect "arduino" at most one
// event a topic in a while, always the newest (noam.md 7.5). A state machine without I/O. Public;
// belongs to the process that owns it.
#pragma once

#include <hawser/base/time.hpp>
#include <hawser/noam/host_options.hpp>
#include <hawser/noam/relayed_event.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace hawser::noam {

class EarQueue {
 public:
  /// One thing to be sent: an event, or (`ack`) the answer to a heart-beat.
  struct Item {
    std::shared_ptr<const RelayedEvent> event;
    std::string ack{};  ///< its JSON
    std::size_t size() const noexcept { return event ? event->framed().size() : ack.size(); }
  };

  /// `options` outlives the queue.
  EarQueue(const HostOptions& options, bool attenuated)
      : options_(&options), attenuated_(attenuated) {}

  /// Takes an event; false: it cannot, and EarOverflow says that the lemma is to be dropped.
  bool add(std::shared_ptr<const RelayedEvent> event, Instant now);
  /// Answers are not attenuated, and keep their place in the order.
  bool add_ack(std::string json);

  /// Nothing waits, and an event of that size need not: add() would only hand it to front().
  bool passes(std::size_t size) const noexcept {
    return items_.empty() && !attenuated_ && options_->ear_events > 0 &&
           size <= options_->ear_bytes;
  }
  bool empty() const noexcept { return items_.empty(); }
  const Item& front() const noexcept { return items_.front(); }
  void pop();
  std::size_t size() const noexcept { return items_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  std::uint64_t dropped() const noexcept { return dropped_; }

  /// Puts held back values that are due into the queue; answers when the next one is. False in
  /// `fits`: as add().
  Instant tick(Instant now, bool& fits);
  Instant next_tick() const noexcept;

 private:
  /// One topic towards an attenuated lemma. Each has a time of its own.
  struct Topic {
    Instant free_at;
    std::shared_ptr<const RelayedEvent> held;
  };
  bool push(Item item);

  const HostOptions* options_;
  bool attenuated_;
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  std::size_t held_bytes_ = 0;
  std::uint64_t dropped_ = 0;
  std::map<std::string, Topic, std::less<>> topics_;
};

}  // namespace hawser::noam
