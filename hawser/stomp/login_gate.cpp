// Who is inside and who waits.
#include <hawser/stomp/login_gate.hpp>

#include <hawser/process/send.hpp>

#include <algorithm>
#include <utility>

namespace hawser::stomp {

LoginGate::Ticket::Ticket(std::shared_ptr<LoginGate> gate, Pid owner)
    : gate_(std::move(gate)), owner_(owner) {
  const std::lock_guard lock(gate_->mutex_);
  (gate_->inside_.size() < gate_->at_once_ ? gate_->inside_ : gate_->waiting_).push_back(owner_);
}

bool LoginGate::Ticket::has_turn() const {
  const std::lock_guard lock(gate_->mutex_);
  return std::ranges::find(gate_->inside_, owner_) != gate_->inside_.end();
}

LoginGate::Ticket::~Ticket() {
  Pid next{};
  {
    const std::lock_guard lock(gate_->mutex_);
    std::erase(gate_->waiting_, owner_);
    if (std::erase(gate_->inside_, owner_) == 0 || gate_->waiting_.empty()) return;
    next = gate_->waiting_.front();
    gate_->waiting_.pop_front();
    gate_->inside_.push_back(next);
  }
  send_info(next, Turn{});
}

}  // namespace hawser::stomp
