// An event on its way through the host: made once, shared by all who hear it. Public; immutable.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/noam/message.hpp>

#include <memory>
#include <string>

namespace hawser::noam {

class RelayedEvent {
  struct Key {
    explicit Key() = default;
  };

 public:
  explicit RelayedEvent(Key) {}  ///< for make() alone
  /// Of a checked event; what its publisher wrote beside the four fields is left behind. With
  /// `sender_name` that stands there instead. Nothing when it no longer fits a frame.
  static std::shared_ptr<const RelayedEvent> make(const EventView& event, bool ascii,
                                                  const std::string* sender_name = nullptr);

  const std::string& sender() const noexcept { return sender_; }
  const std::string& topic() const noexcept { return topic_; }
  /// The value's JSON.
  BytesView value() const noexcept { return framed_.view().substr(value_at_, value_size_); }
  /// Six digits and the message, for TCP.
  const Payload& framed() const noexcept { return framed_; }
  /// The same in two, as WebSocket lemmas are sent it.
  BytesView digits() const noexcept { return framed_.view().substr(0, 6); }
  BytesView message() const noexcept { return framed_.view().substr(6); }

 private:
  std::string sender_;
  std::string topic_;
  Payload framed_;
  std::size_t value_at_ = 0;
  std::size_t value_size_ = 0;
};

}  // namespace hawser::noam
