// Which deliveries of one subscription the client still has to settle. Internal to the broker; one
// thread. Deliveries are numbered 1, 2, 3 …, so this is a ring of states from the oldest that is
// unsettled on.
#pragma once

#include <hawser/stomp/detail/fifo.hpp>

#include <cstddef>
#include <cstdint>

namespace hawser::stomp::detail {

class Unsettled {
 public:
  enum class State : std::uint8_t {
    open,
    claimed,  ///< settled in a transaction that is not committed
    settled,
  };

  /// The delivery has been written to the client. Ids only grow; those left out were never written.
  void add(std::uint64_t id) {
    if (states_.empty()) first_ = id;
    while (first_ + states_.size() < id) states_.push_back(State::settled);
    states_.push_back(State::open);
    ++open_;
  }

  State state(std::uint64_t id) const noexcept {
    return knows(id) ? states_[index(id)] : State::settled;
  }
  /// Not claimed and not settled.
  std::size_t open() const noexcept { return open_; }

  /// Moves the deliveries `first` to `last` that are in state `from` to state `to`, and calls
  /// `run(first, last)` for each run of them.
  template <class Run>
  void change(std::uint64_t first, std::uint64_t last, State from, State to, Run&& run) {
    if (states_.empty()) return;
    if (first < first_) first = first_;
    if (last >= first_ + states_.size()) last = first_ + states_.size() - 1;
    std::uint64_t begun = 0;  // of the run, 0: none
    for (std::uint64_t id = first; id <= last; ++id) {
      State& state = states_[index(id)];
      if (state == from) {
        if (from == State::open) --open_;
        if (to == State::open) ++open_;
        state = to;
        if (begun == 0) begun = id;
      } else if (begun != 0) {
        run(begun, id - 1);
        begun = 0;
      }
    }
    if (begun != 0) run(begun, last);
    while (!states_.empty() && states_.front() == State::settled) {
      states_.pop_front();
      ++first_;
    }
  }
  /// The oldest that is not settled; meaningless without any.
  std::uint64_t first() const noexcept { return first_; }

 private:
  bool knows(std::uint64_t id) const noexcept {
    return id >= first_ && id - first_ < states_.size();
  }
  std::size_t index(std::uint64_t id) const noexcept {
    return static_cast<std::size_t>(id - first_);
  }

  Fifo<State> states_;
  std::uint64_t first_ = 1;
  std::size_t open_ = 0;
};

}  // namespace hawser::stomp::detail
