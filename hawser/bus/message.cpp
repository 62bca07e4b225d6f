// Weight and renditions of a bus message.
#include <hawser/bus/message.hpp>

namespace hawser::bus {

Message::~Message() {
  for (auto& rendition : renditions_)
    std::unique_ptr<const Payload>{rendition.load(std::memory_order_relaxed)};
}

std::size_t Message::size() const noexcept {
  std::size_t size = destination_.size() + content_type_.size() + body_.size();
  for (const auto& property : properties_) size += property.name.size() + property.value.size();
  return size;
}

const Payload& Message::publish_rendition(std::size_t slot, Payload made) const {
  auto candidate = std::make_unique<const Payload>(std::move(made));
  const Payload* present = nullptr;
  if (renditions_[slot].compare_exchange_strong(present, candidate.get(), std::memory_order_acq_rel,
                                                std::memory_order_acquire))
    return *candidate.release();
  return *present;  // another thread was first: its bytes are the same
}

}  // namespace hawser::bus
