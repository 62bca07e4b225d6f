// Each thread keeps a few: one for who receives, one for who sends meanwhile. They are a cache and
// no state: every call would do the same with a new one.
#include <hawser/net/websocket/detail/scratch.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace hawser::websocket {

namespace {
constexpr std::size_t kept_at_most = 3;
thread_local std::vector<std::unique_ptr<Scratch>> spares;
}  // namespace

ScratchLease::ScratchLease() {
  if (spares.empty()) {
    scratch_ = std::make_unique<Scratch>();
  } else {
    scratch_ = std::move(spares.back());
    spares.pop_back();
  }
}

ScratchLease::~ScratchLease() {
  if (spares.size() == kept_at_most) return;
  if (scratch_->bytes.capacity() > Scratch::kept_bytes) scratch_->bytes = std::string();
  if (scratch_->message.capacity() > Scratch::kept_bytes) scratch_->message = std::string();
  spares.reserve(kept_at_most);
  spares.push_back(std::move(scratch_));
}

}  // namespace hawser::websocket
