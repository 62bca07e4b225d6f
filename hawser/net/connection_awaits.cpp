// Waiting for packets, room and writes.
#include <hawser/net/connection_awaits.hpp>

#include <hawser/net/connection.hpp>
#include <hawser/net/detail/answer_batch.hpp>
#include <hawser/net/detail/connection_rare.hpp>
#include <hawser/process/scheduler.hpp>

#include <stdexcept>
#include <utility>

namespace hawser {

ReceiveAwaiter::~ReceiveAwaiter() {
  if (connection_.rare_ != nullptr && connection_.rare_->receiver == this)
    connection_.rare_->receiver = nullptr;
}

bool ReceiveAwaiter::await_ready() {
  if (!connection_.over() && connection_.attached_ && !connection_.end_told_) return false;
  result_ = std::unexpected(
      Error{ErrorKind::closed, 0, "receive",
            connection_.end_told_ ? "the peer will send no more" : "the connection has ended"});
  return true;
}

void ReceiveAwaiter::await_suspend(std::coroutine_handle<> coroutine) {
  auto& rare = connection_.rare();
  if (rare.receiver != nullptr)
    throw std::logic_error("receive() while another task of the connection is in receive()");
  waiter_.enlist(connection_, coroutine);
  rare.receiver = this;
  if (timeout_ != Duration::max()) {
    const Scheduler& home = connection_.scheduler();
    connection_.scheduler().timers().arm(*this, home.now() + timeout_);
  }
  connection_.activate(1);
}

void ReceiveAwaiter::complete(Result<Bytes> result) {
  connection_.rare_->receiver = nullptr;
  cancel();
  result_.emplace(std::move(result));
  waiter_.resume();
}

void ReceiveAwaiter::fire() {
  if (connection_.suspended()) {
    const Instant again = connection_.scheduler().now() + Process::suspended_recheck;
    connection_.scheduler().timers().arm(*this, again);
    return;
  }
  connection_.run_callback("receive", [this] {
    // What comes from here on is for the next receive.
    connection_.activate(0);
    complete(std::unexpected(
        Error{ErrorKind::timeout, 0, "receive", "no packet came within the time-out"}));
  });
}

bool SendAwaiter::await_ready() {
  if (until_ == Until::written) return false;
  result_ = connection_.send_packet(packet_);
  return !result_ || connection_.diverts() ||
         connection_.unsent() < connection_.options().high_water;
}

void SendAwaiter::await_suspend(std::coroutine_handle<> coroutine) {
  waiter_.enlist(connection_, coroutine, this);
  // By its id: the task may be gone when the bytes have left.
  detail::WriteDone done = [process = static_cast<Process*>(&connection_),
                            id = waiter_.id()](Result<void> written) {
    Waiter* waiter = process->find_waiter(id);
    if (waiter == nullptr) return;
    static_cast<SendAwaiter*>(waiter->context())->result_ = std::move(written);
    waiter->resume();
  };
  if (until_ == Until::room) {
    if (connection_.batch_ != nullptr) connection_.batch_->settle();  // for bytes_out_
    if (connection_.stack_ != nullptr) connection_.stack_->settle();
    const std::uint64_t room = connection_.options().low_water;
    const std::uint64_t all = connection_.bytes_out_;
    connection_.add_receipt(all > room ? all - room : 0, std::move(done));
    return;
  }
  connection_.write_packet(packet_, std::move(done));  // may resume at once: last
}

void FileAwaiter::await_suspend(std::coroutine_handle<> coroutine) {
  waiter_.enlist(connection_, coroutine, this);
  connection_.send_file(
      std::move(file_),  // may resume at once: last
      [process = static_cast<Process*>(&connection_), id = waiter_.id()](Result<void> written) {
        Waiter* waiter = process->find_waiter(id);
        if (waiter == nullptr) return;
        static_cast<FileAwaiter*>(waiter->context())->result_ = std::move(written);
        waiter->resume();
      });
}

}  // namespace hawser
