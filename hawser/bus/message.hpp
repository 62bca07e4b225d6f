// A message on the bus: immutable, counted, shared by everybody it reaches; never copied per
// subscriber. Public; may be held and read on any thread.
//
// It lies in one block as it would be written to a peer: a head of escaped lines, an empty line,
// the body and a NUL. That is a STOMP 1.2 MESSAGE but for its first lines, so that the busiest
// protocol passes it on with one copy; the others read the lines one by one.
#pragma once

#include <hawser/base/bytes.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
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

/// What publishing to a topic does to the one message it keeps for those who subscribe later.
enum class Retain : std::uint8_t {
  none,
  set,     ///< this one is kept, and delivered
  remove,  ///< the kept one is dropped; this one is delivered, not kept
};

inline constexpr std::uint8_t default_priority = 4;
inline constexpr std::uint8_t highest_priority = 9;

/// Encodes properties: "name:value\n" each, with backslash, colon, LF and CR written \\ \c \n \r.
/// NUL, and an empty name, have no such form. One thread's; clear() to use its memory again.
class PropertyLines {
 public:
  /// False when name or value cannot be encoded; nothing is added then.
  bool add(BytesView name, BytesView value);
  /// A line that is encoded already, "name:value\n".
  void add_encoded(BytesView line);
  BytesView view() const noexcept { return lines_; }
  void clear() noexcept { lines_.clear(); }

 private:
  Bytes lines_;
};

/// What a message is made of. Views are copied by Message::make.
struct MessageDraft {
  BytesView destination{};   ///< as the sender wrote it, "/topic/trains"
  BytesView content_type{};  ///< MIME type as the sender gave it; "" for none
  BytesView properties{};  ///< PropertyLines::view(), without destination, content-type and -length
  BytesView body{};
  BytesView group{};  ///< messages of one group go to one consumer at a time; "" for none
  Encoding encoding = Encoding::opaque;
  bool persistent = false;                   ///< outlives a crash in a durable queue
  std::uint8_t priority = default_priority;  ///< 0 to 9; more is 9
  Retain retain = Retain::none;
  std::int64_t expires = 0;     ///< wall clock in ms since 1970; 0: never
  std::int64_t deliver_at = 0;  ///< the same; not before; 0: at once
};

class MessagePtr;

class Message {
 public:
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  /// One allocation. A body longer than `inline_body` is held beside, by reference.
  static MessagePtr make(const MessageDraft& draft);
  /// The same for a body that is a Payload already; draft.body is not looked at.
  static MessagePtr make(const MessageDraft& draft, Payload body);
  static constexpr std::size_t inline_body = 4096;

  /// As the sender wrote it: "/topic/trains".
  BytesView destination() const noexcept { return {text() + destination_at_, destination_}; }
  BytesView content_type() const noexcept { return {text() + content_type_at_, content_type_}; }
  BytesView group() const noexcept { return {text() + group_at_, group_}; }
  BytesView body() const noexcept {
    return shared_.empty() ? BytesView{text() + head_, body_} : shared_.view();
  }
  /// The body when it is long enough to be sent from where it lies, else empty.
  const Payload& shared_body() const noexcept { return shared_; }

  Encoding encoding() const noexcept { return encoding_; }
  bool persistent() const noexcept { return persistent_; }
  std::uint8_t priority() const noexcept { return priority_; }
  Retain retain() const noexcept { return retain_; }
  std::int64_t expires() const noexcept { return expires_; }
  bool expired(std::int64_t wall_ms) const noexcept { return expires_ != 0 && expires_ <= wall_ms; }
  std::int64_t deliver_at() const noexcept { return deliver_at_; }

  /// The whole as lines: "destination:…\n", "content-type:…\n" if there is one, the properties,
  /// "content-length:…\n" unless the body is empty, "\n".
  BytesView head() const noexcept { return {text(), head_}; }
  /// head() without its first line, for who writes another destination.
  BytesView head_after_destination() const noexcept { return head().substr(destination_line_); }
  /// head, body and a NUL in one piece, when shared_body() is empty; else empty.
  BytesView whole() const noexcept {
    return shared_.empty() ? BytesView{text(), std::size_t{head_} + body_ + 1} : BytesView{};
  }
  /// Tells the processor that its first lines are about to be read.
  void prefetch() const noexcept {
    for (std::size_t offset = 0; offset < 320; offset += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(this) + offset);
  }
  /// The sender's own lines alone.
  BytesView property_lines() const noexcept { return {text() + lines_, lines_size_}; }
  /// Some line of the head has an escape in it; without one, names and values are as they are.
  bool has_escapes() const noexcept { return escapes_; }
  /// Some value has a CR, which not every protocol can carry.
  bool has_carriage_return() const noexcept { return carriage_return_; }

  /// The first property of that name; decoded into `scratch` if it must be.
  std::optional<BytesView> property(BytesView name, Bytes& scratch) const;
  /// All of them, decoded. Not for the hot path.
  std::vector<Property> properties() const;

  /// What it weighs against byte limits: everything the sender gave.
  std::size_t size() const noexcept {
    return std::size_t{destination_} + content_type_ + lines_size_ + body().size();
  }

  /// The bytes of another form of the message ("a WAMP EVENT in MessagePack"), made by `make()`
  /// when first asked for and shared from then on. Each protocol takes numbers of its own. Two
  /// threads may both make it; both results hold as long as the message does.
  template <class Make>
  const Payload& rendition(std::uint32_t number, Make&& make) const {
    if (const Payload* made = find_rendition(number)) return *made;
    return add_rendition(number, Payload(make()));
  }

 private:
  friend class MessagePtr;
  struct Rendition {
    std::uint32_t number;
    Payload bytes;
    const Rendition* next;
  };
  Message() noexcept = default;
  ~Message();
  /// With the octets of `body` that lie in it, of `body_size` altogether. One reference.
  static Message* assemble(const MessageDraft& draft, BytesView body, std::size_t body_size);
  const char* text() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  char* text() noexcept { return reinterpret_cast<char*>(this + 1); }
  const Payload* find_rendition(std::uint32_t number) const noexcept;
  const Payload& add_rendition(std::uint32_t number, Payload bytes) const;
  static void destroy(const Message* message) noexcept;

  // First what a queue looks at, which reads no text: one line of the cache.
  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t allocated_ = 0;
  std::int64_t expires_ = 0;
  Payload shared_;
  std::uint32_t body_ = 0;              // size of the body when it lies here
  std::uint32_t head_ = 0;              // size of the head, which begins the text
  std::uint32_t lines_ = 0;             // where the sender's own lines begin
  std::uint32_t lines_size_ = 0;        // and their size
  std::uint32_t destination_line_ = 0;  // size of the first line
  // Where these lie unescaped: in the head unless they have escapes there, else behind the body.
  std::uint32_t destination_at_ = 0;
  std::uint32_t destination_ = 0;
  std::uint32_t content_type_at_ = 0;
  std::uint32_t content_type_ = 0;
  std::uint32_t group_at_ = 0;
  std::uint32_t group_ = 0;
  Encoding encoding_ = Encoding::opaque;
  std::uint8_t priority_ = default_priority;
  Retain retain_ = Retain::none;
  bool persistent_ : 1 = false;
  bool escapes_ : 1 = false;
  bool carriage_return_ : 1 = false;
  std::int64_t deliver_at_ = 0;
  mutable std::atomic<const Rendition*> renditions_{nullptr};
};

/// Shared for real: publisher, queue and every subscriber hold it. Counted inside the message; the
/// pointer itself belongs to one thread, as any value.
class MessagePtr {
 public:
  MessagePtr() noexcept = default;
  MessagePtr(const MessagePtr& other) noexcept : message_(other.message_) {
    if (message_ != nullptr) message_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  MessagePtr(MessagePtr&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessagePtr& operator=(const MessagePtr& other) noexcept {
    MessagePtr(other).swap(*this);
    return *this;
  }
  MessagePtr& operator=(MessagePtr&& other) noexcept {
    MessagePtr(std::move(other)).swap(*this);
    return *this;
  }
  ~MessagePtr() {
    if (message_ != nullptr) release(message_);
  }
  void swap(MessagePtr& other) noexcept { std::swap(message_, other.message_); }
  void reset() noexcept { MessagePtr().swap(*this); }

  const Message* get() const noexcept { return message_; }
  const Message& operator*() const noexcept { return *message_; }
  const Message* operator->() const noexcept { return message_; }
  explicit operator bool() const noexcept { return message_ != nullptr; }
  friend bool operator==(const MessagePtr&, const MessagePtr&) noexcept = default;

  /// Counts `more` references at once; adopt() makes one pointer of each. For fan-out.
  void retain(std::uint32_t more) const noexcept {
    message_->references_.fetch_add(more, std::memory_order_relaxed);
  }
  /// Takes `count` of them back, unused.
  static void give_back(const MessagePtr& message, std::uint32_t count) noexcept {
    if (count > 0) message.message_->references_.fetch_sub(count, std::memory_order_release);
  }
  static MessagePtr adopt(const Message* message) noexcept {
    MessagePtr pointer;
    pointer.message_ = message;
    return pointer;
  }

 private:
  static void release(const Message* message) noexcept {
    // The only holder need not count down: nobody else can take a reference any more.
    if (message->references_.load(std::memory_order_acquire) == 1 ||
        message->references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      Message::destroy(message);
  }
  const Message* message_ = nullptr;
};

}  // namespace hawser::bus
