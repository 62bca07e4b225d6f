// Waiting packets and their bounds.
#include <hawser/net/detail/packet_queue.hpp>

#include <fmt/format.h>

#include <string>

namespace hawser::detail {

Result<void> PacketQueue::add(Payload packet, WriteDone&& done, std::size_t max_packets,
                              std::size_t max_bytes, QueueOverflow overflow, const char* setting) {
  const std::size_t size = packet.size();
  const auto fits = [&] {
    return entries_.size() < max_packets && size <= max_bytes && bytes_ <= max_bytes - size;
  };
  if (overflow == QueueOverflow::drop_oldest)
    while (!fits() && !entries_.empty()) drop_oldest(setting);
  if (!fits()) {
    ++dropped_;
    return std::unexpected(Error{
        ErrorKind::overloaded, 0, "send",
        fmt::format("{} packets of {} bytes wait already ({})", entries_.size(), bytes_, setting)});
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
  while (!entries_.empty()) {
    Entry entry = take();
    if (entry.done) entry.done(std::unexpected(error));
  }
}

}  // namespace hawser::detail
