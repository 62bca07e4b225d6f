// Waiting packets and their bounds.
#include <hawser/net/detail/packet_queue.hpp>

#include <fmt/format.h>

#include <string>
#include <utility>

namespace hawser::detail {

Result<void> PacketQueue::add(Payload packet, WriteDone&& done, std::size_t max_packets,
                              std::size_t max_bytes, QueueOverflow overflow, const char* setting) {
  const std::size_t size = packet.size();
  const auto fits = [&] {
    return entries_.size() < max_packets && size <= max_bytes && bytes_ <= max_bytes - size;
  };
  // One that is too big for an empty queue makes nobody else go.
  if (overflow == QueueOverflow::drop_oldest && size <= max_bytes && max_packets != 0)
    while (!fits() && !entries_.empty()) drop_oldest(setting);
  if (!fits()) {
    ++dropped_;
    return std::unexpected(
        Error{ErrorKind::overloaded, 0, "send",
              fmt::format("{} bytes more: {} packets of {} bytes wait already ({})", size,
                          entries_.size(), bytes_, setting)});
  }
  bytes_ += size;
  entries_.push_back({std::move(packet), std::move(done)});
  return {};
}

void PacketQueue::drop_oldest(const char* setting) {
  Entry entry = take();
  ++dropped_;
  if (entry.done)
    entry.done(std::unexpected(
        Error{ErrorKind::overloaded, 0, "send",
              fmt::format("dropped for a newer packet: the queue is full ({})", setting)}));
}

PacketQueue::Entry PacketQueue::take() {
  Entry entry = std::move(entries_.front());
  entries_.pop_front();
  bytes_ -= entry.packet.size();
  return entry;
}

void PacketQueue::fail_all(const Error& error) {
  // Whoever is told may send anew, or end what this queue is part of.
  auto all = std::exchange(entries_, {});
  bytes_ = 0;
  for (auto& entry : all)
    if (entry.done) entry.done(std::unexpected(error));
}

void PacketQueue::clear() noexcept {
  entries_.clear();
  bytes_ = 0;
}

}  // namespace hawser::detail
