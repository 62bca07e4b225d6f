// A message on the bus: immutable, counted, shared by everybody it reaches; never copied per
// subscriber. Public; may be held and read on any thread.
#pragma once

#include <hawser/base/bytes.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::bus {

/// A name and a value that travel with a message (STOMP headers, WAMP details). Order and repeated
/// names are kept.
struct Property {
  std::string name;
  std::string value;
  friend bool operator==(const Property&, const Property&) = default;
};

/// How the payload's bytes are to be read. The bus never looks inside.
enum class Encoding : std::uint8_t { opaque, text, json, msgpack, cbor };

/// A form of a message that one protocol puts on the wire ("the header block of a STOMP 1.2
/// MESSAGE"). Each protocol takes its own numbers; see Message::rendition.
inline constexpr std::size_t rendition_slots = 4;

class Message {
 public:
  Message(std::string destination, Payload body, Encoding encoding, std::string content_type,
          std::vector<Property> properties)
      : destination_(std::move(destination)),
        content_type_(std::move(content_type)),
        properties_(std::move(properties)),
        body_(std::move(body)),
        encoding_(encoding) {}
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message();

  /// As the sender wrote it: "/topic/trains".
  const std::string& destination() const noexcept { return destination_; }
  const Payload& body() const noexcept { return body_; }
  Encoding encoding() const noexcept { return encoding_; }
  /// MIME type as the sender gave it; "" when it gave none.
  const std::string& content_type() const noexcept { return content_type_; }
  const std::vector<Property>& properties() const noexcept { return properties_; }

  /// What it weighs against a queue's byte limit: everything the sender gave.
  std::size_t size() const noexcept;

  /// The bytes of form `slot`, made by `make()` when first asked for and shared from then on. Two
  /// threads may both make it; one result wins and both get that one.
  template <class Make>
  const Payload& rendition(std::size_t slot, Make&& make) const {
    if (const Payload* made = renditions_[slot].load(std::memory_order_acquire)) return *made;
    return publish_rendition(slot, Payload(make()));
  }

 private:
  const Payload& publish_rendition(std::size_t slot, Payload made) const;

  std::string destination_;
  std::string content_type_;
  std::vector<Property> properties_;
  Payload body_;
  Encoding encoding_;
  mutable std::array<std::atomic<const Payload*>, rendition_slots> renditions_{};
};

/// Shared for real: publisher, queue and every subscriber hold it.
using MessagePtr = std::shared_ptr<const Message>;

}  // namespace hawser::bus
