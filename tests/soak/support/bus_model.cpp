// Judging deliveries and receipts.
#include "bus_model.hpp"

#include <fmt/format.h>

#include <charconv>

namespace hawser::soak {

std::string BusModel::next_body(std::uint64_t publisher, std::string_view destination,
                                std::size_t padding) {
  auto& there = destinations_[std::string(destination)];
  return fmt::format("{}:{}:{}", publisher, ++there.sent[publisher], std::string(padding, 'p'));
}

std::string BusModel::receipt_of(std::string_view destination, std::string_view body) {
  return fmt::format("{}={}", destination, body.substr(0, body.rfind(':') + 1));
}

bool BusModel::read(std::string_view body, Message& message) {
  const char* const end = body.data() + body.size();
  const auto first = std::from_chars(body.data(), end, message.first);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != ':') return false;
  const auto second = std::from_chars(first.ptr + 1, end, message.second);
  return second.ec == std::errc{} && second.ptr != end && *second.ptr == ':';
}

void BusModel::receipted(std::string_view receipt) {
  const auto equals = receipt.find('=');
  if (equals == std::string_view::npos) return;  // of a frame that is no SEND
  Message message;
  auto& there = destinations_[std::string(receipt.substr(0, equals))];
  if (!read(receipt.substr(equals + 1), message) || message.second > there.sent[message.first]) {
    faults.push_back(fmt::format("a receipt that nobody asked for: {}", receipt));
    return;
  }
  if (!there.receipted.insert(message).second)
    faults.push_back(fmt::format("a second receipt: {}", receipt));
  if (there.refused.contains(message))
    faults.push_back(fmt::format("receipt for what was refused: {}", receipt));
}

void BusModel::refused(std::string_view receipt) {
  const auto equals = receipt.find('=');
  Message message;
  if (equals == std::string_view::npos || !read(receipt.substr(equals + 1), message)) return;
  auto& there = destinations_[std::string(receipt.substr(0, equals))];
  there.refused.insert(message);
  if (there.receipted.contains(message) || there.delivered.contains(message))
    faults.push_back(fmt::format("refused, but it is in: {}", receipt));
}

void BusModel::delivered(std::uint64_t subscription, std::string_view destination,
                         std::string_view body) {
  ++delivered_;
  Message message;
  auto& there = destinations_[std::string(destination)];
  if (!read(body, message) || message.second > there.sent[message.first]) {
    faults.push_back(fmt::format("{} has what nobody sent: {}", destination, body.substr(0, 60)));
    return;
  }
  if (there.refused.contains(message))
    faults.push_back(
        fmt::format("{}: {} was refused and delivered", destination, body.substr(0, 60)));
  const bool is_queue = destination.starts_with("/queue/");
  auto [last, first] = seen_.try_emplace({subscription, message.first}, message.second);
  if (!first) {
    // A topic's subscriber misses nothing as long as it is subscribed; a queue's shares, and where
    // several consumers come and go, what one gave back may come after what others got since.
    const bool in_order = destination.starts_with("/queue/q") ? message.second != last->second
                          : is_queue                          ? message.second > last->second
                                                              : message.second == last->second + 1;
    if (!in_order)
      faults.push_back(fmt::format("{}: subscription {} got {} of publisher {} after {}",
                                   destination, subscription, message.second, message.first,
                                   last->second));
    last->second = message.second;
  }
  if (is_queue && !there.delivered.insert(message).second)
    faults.push_back(
        fmt::format("{}: {}:{} was delivered twice", destination, message.first, message.second));
}

std::size_t BusModel::receipted_in(std::string_view queue) const {
  const auto found = destinations_.find(queue);
  return found == destinations_.end() ? 0 : found->second.receipted.size();
}

std::size_t BusModel::receipted_undelivered(std::string_view queue) const {
  const auto found = destinations_.find(queue);
  if (found == destinations_.end()) return 0;
  std::size_t lost = 0;
  for (const auto& message : found->second.receipted)
    if (!found->second.delivered.contains(message)) ++lost;
  return lost;
}

std::string BusModel::undelivered_text(std::string_view queue) const {
  std::string text(queue);
  if (const auto found = destinations_.find(queue); found != destinations_.end()) {
    for (const auto& message : found->second.receipted)
      if (!found->second.delivered.contains(message))
        text += fmt::format(" {}:{}", message.first, message.second);
  }
  return text;
}

}  // namespace hawser::soak
