// A connected or listening socket on its way between two owners: what accept hands out and adopt
// takes in, on the same scheduler or on another. Public; move-only; may cross threads.
#pragma once

#include <utility>

namespace hawser {

/// Owns one socket of one family of engines (a descriptor for uring and epoll, a number of the
/// simulated kernel for sim). Dropped without being adopted, it closes.
class NativeSocket {
 public:
  /// How a family of engines closes a socket that nobody adopted; thread-safe.
  class Closer {
   public:
    virtual void close_native(int number) noexcept = 0;

   protected:
    ~Closer() = default;
  };

  NativeSocket() noexcept = default;
  NativeSocket(int number, Closer& closer) noexcept : number_(number), closer_(&closer) {}
  NativeSocket(NativeSocket&& other) noexcept
      : number_(std::exchange(other.number_, -1)), closer_(std::exchange(other.closer_, nullptr)) {}
  NativeSocket& operator=(NativeSocket&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
      closer_ = std::exchange(other.closer_, nullptr);
    }
    return *this;
  }
  ~NativeSocket() { reset(); }

  explicit operator bool() const noexcept { return number_ >= 0; }
  int number() const noexcept { return number_; }

  /// Gives the number away; the caller now closes it.
  int release() noexcept {
    closer_ = nullptr;
    return std::exchange(number_, -1);
  }
  void reset() noexcept {
    if (number_ >= 0 && closer_ != nullptr) closer_->close_native(number_);
    number_ = -1;
    closer_ = nullptr;
  }

 private:
  int number_ = -1;
  Closer* closer_ = nullptr;
};

}  // namespace hawser
