// What a callback answers: keep going, send, stop, and with which time-out. One type for every
// callback. Public; plain value, made by keep(), send(), stop() and refined by its methods.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/time.hpp>
#include <hawser/process/reason.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace hawser {

class [[nodiscard]] Next {
 public:
  /// One packet to send: our own bytes, shared bytes, or bytes that outlive the callback's return
  /// (the packet just received).
  using Outgoing = std::variant<std::monostate, std::string, Payload, BytesView>;

  Next() noexcept = default;

  /// Adds one more packet; all packets of one callback leave in one write, in order.
  Next&& send(BytesView bytes) && {
    add(std::string(bytes));
    return std::move(*this);
  }
  Next&& send(std::string&& bytes) && {
    add(std::move(bytes));
    return std::move(*this);
  }
  Next&& send(const char* text) && { return std::move(*this).send(BytesView(text)); }
  Next&& send(Payload payload) && {
    add(std::move(payload));
    return std::move(*this);
  }
  /// For bytes that stay valid until the callback's result has been carried out.
  Next&& send_borrowed(BytesView bytes) && {
    add(bytes);
    return std::move(*this);
  }

  /// Ends the process once everything before it is sent (or the flush deadline has passed).
  Next&& then_stop(Reason reason = Reason::normal()) && {
    stop_ = true;
    if (rest_ != nullptr || reason != Reason::normal()) rest().reason = std::move(reason);
    return std::move(*this);
  }

  /// Calls the handler's timeout() when no message or packet comes within `length`. Holds for this
  /// one wait, as in gen_server: the next callback sets it again if it wants it again.
  Next&& timeout(Duration length) && {
    timeout_ = length;
    return std::move(*this);
  }

  /// Gives back at once all memory that a connection at rest does not need (as OTP's hibernate).
  Next&& hibernate() && {
    hibernate_ = true;
    return std::move(*this);
  }

  bool stops() const noexcept { return stop_; }
  bool hibernates() const noexcept { return hibernate_; }
  Reason reason() const noexcept { return rest_ == nullptr ? Reason::normal() : rest_->reason; }
  std::optional<Duration> timeout_after() const noexcept {
    return timeout_ == Duration::max() ? std::nullopt : std::optional(timeout_);
  }
  bool sends() const noexcept { return first_.index() != 0; }
  /// The only packet, when there is just one.
  const Outgoing* only_outgoing() const noexcept {
    return sends() && (rest_ == nullptr || rest_->more.empty()) ? &first_ : nullptr;
  }

  /// Calls `use(Outgoing&)` for each packet, in order.
  template <class Use>
  void for_each_outgoing(Use&& use) {
    if (!sends()) return;
    use(first_);
    if (rest_ == nullptr) return;
    for (auto& outgoing : rest_->more) use(outgoing);
  }

 private:
  friend Next send(BytesView bytes);
  friend Next send(std::string&& bytes);
  friend Next send(const char* text);
  friend Next send(Payload payload);
  friend Next send_borrowed(BytesView bytes);
  // The most frequent answer is made in place: to move one costs as much as to make it.
  explicit Next(std::string&& bytes) : first_(std::move(bytes)) {}
  explicit Next(Payload&& payload) : first_(std::move(payload)) {}
  explicit Next(BytesView borrowed) noexcept : first_(borrowed) {}

  template <class Bytes>
  void add(Bytes bytes) {
    if (first_.index() == 0) {
      first_.emplace<Bytes>(std::move(bytes));
    } else {
      rest().more.emplace_back(std::in_place_type<Bytes>, std::move(bytes));
    }
  }

  /// What few answers have lies apart: the others are small, and done with at once. (Not inline:
  /// what ends it would fill the way of those that have none.)
  struct Rest {
    Rest() noexcept;
    ~Rest();
    std::vector<Outgoing> more;
    Reason reason;
  };
  Rest& rest() {
    if (rest_ == nullptr) rest_ = std::make_unique<Rest>();
    return *rest_;
  }

  Outgoing first_;
  Duration timeout_ = Duration::max();
  bool stop_ = false;
  bool hibernate_ = false;
  std::unique_ptr<Rest> rest_;
};

/// Nothing to do: wait for what comes next.
inline Next keep() noexcept { return {}; }

/// Ends the process: normal unless a reason is given.
inline Next stop(Reason reason = Reason::normal()) { return Next{}.then_stop(std::move(reason)); }

/// Sends one packet, framed by the connection's framing.
inline Next send(BytesView bytes) { return Next(std::string(bytes)); }
inline Next send(std::string&& bytes) { return Next(std::move(bytes)); }
inline Next send(const char* text) { return Next(std::string(text)); }
inline Next send(Payload payload) { return Next(std::move(payload)); }
/// The same for bytes that stay valid until the callback's result has been carried out.
inline Next send_borrowed(BytesView bytes) { return Next(bytes); }

}  // namespace hawser
