// Settling by the modes' own rules.
#include <hawser/stomp/detail/unsettled_deliveries.hpp>

#include <algorithm>
#include <utility>

namespace hawser::stomp::detail {

std::uint64_t UnsettledDeliveries::add(std::string_view id) {
  ++last_;
  if (mode_ != AckMode::automatic) open_.emplace_hint(open_.end(), last_, id);
  return last_;
}

const std::string* UnsettledDeliveries::id_of(std::uint64_t number) const noexcept {
  const auto found = open_.find(number);
  return found == open_.end() ? nullptr : &found->second;
}

void UnsettledDeliveries::settle(std::uint64_t number, bool cumulative, TransactionId transaction) {
  const auto end = open_.upper_bound(number);
  const auto begin = cumulative && mode_ == AckMode::client ? open_.begin() : open_.find(number);
  if (begin == open_.end()) return;
  if (transaction != TransactionId{}) held_[transaction].insert(begin, end);
  open_.erase(begin, end);
}

std::vector<std::uint64_t> UnsettledDeliveries::before(std::uint64_t number) const {
  std::vector<std::uint64_t> numbers;
  for (auto each = open_.begin(); each != open_.end() && each->first < number; ++each)
    numbers.push_back(each->first);
  return numbers;
}

void UnsettledDeliveries::commit(TransactionId transaction) { held_.erase(transaction); }

void UnsettledDeliveries::abort(TransactionId transaction) {
  const auto found = held_.find(transaction);
  if (found == held_.end()) return;
  open_.merge(found->second);
  held_.erase(found);
}

std::vector<std::uint64_t> UnsettledDeliveries::numbers() const {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, id] : open_) numbers.push_back(number);
  for (const auto& [transaction, held] : held_)
    for (const auto& [number, id] : held) numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace hawser::stomp::detail
