// Sending clients away.
#include <hawser/net/listener_shedding.hpp>

#include <utility>

namespace hawser::detail {
namespace {
/// What a client is told fits into any send buffer, so that it leaves at once.
constexpr std::size_t word_bytes_max = 4096;
}  // namespace

bool Shedder::shed(Scheduler& scheduler, NativeSocket socket, const ServerOptions& options,
                   std::string& what) {
  while (!open_until_.empty() && open_until_.front() <= scheduler.now()) open_until_.pop_front();
  if (open_until_.size() >= options.shed_at_once) return false;
  Engine& engine = scheduler.engine();
  const auto id = engine.adopt(std::move(socket), deaf_);
  if (!id) return false;
  std::string word;
  try {
    // A hook that throws must not end the listener: any peer could make it so.
    word = options.shed(engine.peer(*id).value_or(Address{}));
  } catch (const std::exception& thrown) {
    what = thrown.what();
  } catch (...) {
    what = "an exception that is no std::exception";
  }
  SendQueue* const queue = word.empty() ? nullptr : engine.outgoing(*id);
  if (queue == nullptr) {
    engine.close_now(*id);
    return false;
  }
  queue->append(BytesView(word).substr(0, word_bytes_max));
  const Instant deadline = scheduler.now() + options.shed_deadline;
  engine.close(*id, CloseMode::graceful, deadline);
  open_until_.push_back(deadline);
  return true;
}

bool SpareDescriptor::take() {
  if (held()) return true;
  auto opened = engine_.open_datagram(Address::loopback(0), {}, deaf_);
  if (!opened) return false;
  id_ = opened->id;
  return true;
}

void SpareDescriptor::give_up() {
  if (held()) engine_.close_now(std::exchange(id_, {}));
}

}  // namespace hawser::detail
