// Bodies that are compressed with gzip (F-06), inflated as they come. Public; belongs to one body
// at a time.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace hawser::stomp {

/// Several gzip members behind one another are one body, as gzip has it.
class Gunzip {
 public:
  /// `limit`: octets that may come out of one body, so that a few do not become gigabytes.
  explicit Gunzip(std::size_t limit = std::size_t{256} << 20);
  ~Gunzip();
  Gunzip(Gunzip&&) noexcept;
  Gunzip& operator=(Gunzip&&) noexcept;

  using Take = std::function<void(BytesView)>;
  /// Inflates some more; `take` gets pieces of at most 64 KiB, borrowed. Errors: protocol_error (it
  /// is not gzip, or damaged), overloaded (`limit`). After an error only reset() helps.
  Result<void> feed(BytesView compressed, const Take& take);
  /// The body is over: protocol_error when it was cut short. Ready for the next body.
  Result<void> finish();
  void reset() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A whole body at once.
Result<Bytes> gunzip(BytesView compressed, std::size_t limit = std::size_t{256} << 20);

}  // namespace hawser::stomp
