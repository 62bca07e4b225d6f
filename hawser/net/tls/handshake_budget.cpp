// The waiting handshakes of one scheduler. A turn begins where the scheduler empties its inbox: the
// budget posts itself there for as long as there is something to count or to grant.
#include <hawser/base/check.hpp>
#include <hawser/net/tls/handshake_budget.hpp>
#include <hawser/process/scheduler.hpp>

#include <utility>

namespace hawser {

void HandshakeBudget::Waiter::leave() noexcept {
  if (list_ == nullptr) return;
  (previous_ == nullptr ? list_->first : previous_->next_) = next_;
  (next_ == nullptr ? list_->last : next_->previous_) = previous_;
  --list_->size;
  list_ = nullptr;
  previous_ = nullptr;
  next_ = nullptr;
}

HandshakeBudget::~HandshakeBudget() {
  for (Waiter::List* list : {&begun_, &fresh_, &refused_})
    while (list->first != nullptr) list->first->leave();
}

void HandshakeBudget::append(Waiter::List& list, Waiter& waiter) noexcept {
  check(!waiter.waiting(), "a handshake waits once");
  waiter.list_ = &list;
  waiter.previous_ = list.last;
  (list.last == nullptr ? list.first : list.last->next_) = &waiter;
  list.last = &waiter;
  ++list.size;
}

bool HandshakeBudget::take(Scheduler& scheduler, Waiter& waiter, bool begun) {
  next_turn(scheduler);
  if (taken_ < limits_.steps_per_turn && waiting() == 0) {
    ++taken_;
    return true;
  }
  append(begun ? begun_ : fresh_, waiter);
  if (waiting() > limits_.waiting) {
    // It is told in the next turn: here somebody else's callback is running.
    Waiter& longest = *(fresh_.first != nullptr ? fresh_.first : begun_.last);
    longest.leave();
    append(refused_, longest);
  }
  return false;
}

void HandshakeBudget::next_turn(Scheduler& scheduler) {
  if (std::exchange(posted_, true)) return;
  scheduler.post([weak = weak_from_this(), &scheduler] {
    if (const auto budget = weak.lock()) budget->turn(scheduler);
  });
}

HandshakeBudget::Waiter* HandshakeBudget::next() noexcept {
  if (begun_.first != nullptr) return begun_.first;
  return fresh_.size > limits_.newest_first_above ? fresh_.last : fresh_.first;
}

void HandshakeBudget::turn(Scheduler& scheduler) {
  posted_ = false;
  taken_ = 0;
  while (refused_.first != nullptr) {
    Waiter& waiter = *refused_.first;
    waiter.leave();
    waiter.refused();
  }
  while (taken_ < limits_.steps_per_turn) {
    Waiter* const waiter = next();
    if (waiter == nullptr) break;
    waiter->leave();
    ++taken_;
    waiter->granted();
  }
  if (taken_ != 0 || waiting() != 0) next_turn(scheduler);
}

}  // namespace hawser
