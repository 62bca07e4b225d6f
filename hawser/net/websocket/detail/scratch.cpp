// Each thread keeps one. It is a cache and no state: every call would do the same with a new one.
#include <hawser/net/websocket/detail/scratch.hpp>

#include <utility>

namespace hawser::websocket {

namespace {
thread_local std::unique_ptr<Scratch> spare;
}

ScratchLease::ScratchLease() : scratch_(std::move(spare)) {
  if (scratch_ == nullptr) scratch_ = std::make_unique<Scratch>();
}

ScratchLease::~ScratchLease() {
  if (spare != nullptr) return;
  if (scratch_->bytes.capacity() > Scratch::kept_bytes) scratch_->bytes = {};
  if (scratch_->message.capacity() > Scratch::kept_bytes) scratch_->message = {};
  spare = std::move(scratch_);
}

}  // namespace hawser::websocket
