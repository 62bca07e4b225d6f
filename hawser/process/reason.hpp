// Why a process ended. Links, monitors, supervisors, logs and the observer all see the same one.
// Public; cheap to copy (the words are shared and immutable); may cross threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace hawser {

class Reason {
 public:
  enum class Kind : unsigned char {
    normal,          ///< done; no link is hurt by it, a transient child is not restarted
    shutdown,        ///< asked to end by its supervisor or by a drain
    killed,          ///< ended by force, without terminate
    crash,           ///< a callback threw: what, in which callback, on which message
    closed,          ///< the other side of the connection closed it
    timeout,         ///< a deadline passed; the text names which
    protocol_error,  ///< the peer broke its protocol; the text says how
    overloaded,      ///< a limit was hit; the text names it
    no_process,      ///< the process linked to, monitored or called did not exist
    failed,          ///< the system said no (socket error, start failed); the text tells
    custom,          ///< a reason of the user's own
  };

  Reason() noexcept = default;  ///< normal
  Reason(Kind kind) noexcept : kind_(kind) {}
  Reason(Kind kind, std::string text);

  static Reason normal() noexcept { return {}; }
  static Reason shutdown() noexcept { return {Kind::shutdown}; }
  static Reason killed() noexcept { return {Kind::killed}; }
  static Reason crash(std::string what, std::string callback, std::string message);
  static Reason closed() noexcept { return {Kind::closed}; }
  static Reason timeout(std::string which) { return {Kind::timeout, std::move(which)}; }
  static Reason protocol_error(std::string how) { return {Kind::protocol_error, std::move(how)}; }
  static Reason overloaded(std::string limit) { return {Kind::overloaded, std::move(limit)}; }
  static Reason no_process() noexcept { return {Kind::no_process}; }
  static Reason failed(std::string what) { return {Kind::failed, std::move(what)}; }
  static Reason custom(std::string what) { return {Kind::custom, std::move(what)}; }

  Kind kind() const noexcept { return kind_; }
  /// normal or shutdown: nothing went wrong, a transient child is left alone.
  bool is_graceful() const noexcept { return kind_ == Kind::normal || kind_ == Kind::shutdown; }

  /// What was thrown, which limit, how the protocol was broken; "" when there is nothing to add.
  std::string_view detail() const noexcept;
  /// For crash: the callback that threw ("handle_packet") and the message it had; else "".
  std::string_view callback() const noexcept;
  std::string_view message() const noexcept;

  /// One line: "crash: out of range, in handle_packet on 12 bytes".
  std::string text() const;

  friend bool operator==(const Reason& left, const Reason& right) noexcept {
    return left.kind_ == right.kind_ && left.detail() == right.detail();
  }

 private:
  struct Words {
    std::string detail;
    std::string callback;
    std::string message;
  };
  Kind kind_ = Kind::normal;
  std::shared_ptr<const Words> words_;  // shared for real: every link and monitor holds one
};

std::string_view to_string(Reason::Kind kind) noexcept;

}  // namespace hawser
