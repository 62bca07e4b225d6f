// The floor, second way: framed echo on a bare io_uring loop. One thread, one ring, multishot
// accept, multishot receive out of a ring of provided buffers, one send per connection and turn,
// one system call per turn.
//
// A reply leaves straight from the buffer its packet arrived in. The send is made with MSG_DONTWAIT
// and without a completion on success: it either succeeds within the submitting call, silently, or
// fails there with a completion. So once a submission is over and its failures are handled, all its
// buffers are free again, and the loop is never woken up by its own sends.
#include "common.hpp"

#include <liburing.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bench {
namespace {

constexpr unsigned submission_entries = 1024;
constexpr unsigned completion_entries = 8 * submission_entries;
constexpr unsigned buffer_entries = 32768;  // room in the ring; buffers are made when missed
constexpr unsigned first_buffers = 256;
constexpr std::size_t buffer_bytes = 2048;
// An odd number of cache lines apart, or the heads of all buffers would share a few cache sets.
constexpr std::size_t buffer_stride = buffer_bytes + 64;

enum class Operation : std::uint8_t { accept, receive, send_now, send_queued, cancel, close };

/// What a completion is about, in the 64 bits that the kernel hands back. A descriptor is closed
/// only after the last completion of its operations, so none can reach its successor.
struct Tag {
  Operation operation;
  int fd;
  std::uint16_t buffer = 0;
  std::uint16_t length = 0;

  std::uint64_t pack() const {
    return static_cast<std::uint64_t>(operation) | static_cast<std::uint64_t>(fd) << 8 |
           static_cast<std::uint64_t>(buffer) << 32 | static_cast<std::uint64_t>(length) << 48;
  }
  static Tag unpack(std::uint64_t bits) {
    return {static_cast<Operation>(bits & 0xff), static_cast<int>(bits >> 8 & 0xffffff),
            static_cast<std::uint16_t>(bits >> 32), static_cast<std::uint16_t>(bits >> 48)};
  }
};

/// Bytes a connection holds only while it must.
struct Backlog {
  std::string input;    // the head of an unfinished packet
  std::string queued;   // replies that wait for a send in flight
  std::string sending;  // replies the kernel is sending, when it could not at once
};

struct Connection {
  std::unique_ptr<Backlog> backlog;
  bool receiving = false;    // a multishot receive is armed
  bool sending_now = false;  // a send out of a lent buffer is queued, and not known to be over
  bool sending = false;      // a send out of the backlog is in flight
  bool paused = false;       // too much is unsent: the receive is, or is being, cancelled
  bool starved = false;      // the receive ended for want of a buffer
  bool ending = false;       // the peer closed or broke: close when nothing is in flight
};

struct Lent {
  int fd;
  std::uint16_t buffer;
};

class Server {
 public:
  explicit Server(int listener) : listener_(listener) {
    io_uring_params params = {};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    params.cq_entries = completion_entries;
    int result = io_uring_queue_init_params(submission_entries, &ring_, &params);
    if (result < 0) die("io_uring_queue_init_params", -result);
    result = io_uring_register_ring_fd(&ring_);
    if (result < 0) die("io_uring_register_ring_fd", -result);

    void* memory = mmap(nullptr, buffer_entries * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                        MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
    io_uring_buf_reg registration = {};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
    registration.ring_entries = buffer_entries;
    result = io_uring_register_buf_ring(&ring_, &registration, 0);
    if (result < 0) die("io_uring_register_buf_ring", -result);
    io_uring_buf_ring_init(buffer_ring_);
    memory = mmap(nullptr, buffer_entries * buffer_stride, PROT_READ | PROT_WRITE,
                  MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    buffers_ = static_cast<char*>(memory);
    add_buffers(first_buffers);
  }

  [[noreturn]] void run() {
    arm_accept();
    while (true) {
      // A silent send wakes nobody: who waits for one to be over has it looked at without a wait.
      const unsigned awaited = std::exchange(unfinished_, false) ? 0 : 1;
      const int result = io_uring_submit_and_wait(&ring_, awaited);
      if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
        die("io_uring_enter", -result);
      }
      turn();
    }
  }

 private:
  char* buffer(std::uint16_t index) { return buffers_ + index * buffer_stride; }
  Connection& connection(int fd) { return connections_[static_cast<std::size_t>(fd)]; }

  io_uring_sqe* entry() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
      const int result = io_uring_submit(&ring_);
      if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
        die("io_uring_submit", -result);
      }
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  /// All completions of one wait: first the sends that failed, so that the buffers of the last
  /// submission are settled; then the rest.
  void turn() {
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++seen;
      const Tag tag = Tag::unpack(cqe->user_data);
      if (tag.operation == Operation::send_now) send_failed(tag, cqe->res);
    }
    // Neither submissions left behind nor completions kept back: no failure is still to come.
    const bool all_seen = io_uring_sq_ready(&ring_) == 0 &&
                          (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) == 0;
    if (all_seen) {
      settle();
    } else {
      unfinished_ = true;
    }

    unsigned handled = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++handled;
      const Tag tag = Tag::unpack(cqe->user_data);
      switch (tag.operation) {
        case Operation::accept:
          accepted(*cqe);
          break;
        case Operation::receive:
          received(tag.fd, *cqe);
          break;
        case Operation::send_now:
          // One beyond those seen above was sent when the submission queue filled up in this turn.
          if (handled > seen) send_failed(tag, cqe->res);
          break;
        case Operation::send_queued:
          sent(tag.fd, cqe->res);
          break;
        case Operation::cancel:
        case Operation::close:
          break;
      }
    }
    io_uring_cq_advance(&ring_, handled);

    if (!starved_.empty()) {
      add_buffers(added_ == 0 ? first_buffers : added_);  // doubles, up to the room there is
      starving_.swap(starved_);
      for (const int fd : starving_) {
        // It may have closed or gone on since, in this same turn.
        if (connection(fd).starved && !connection(fd).receiving) arm_receive(fd);
      }
      starving_.clear();
    }
    return_buffers();
  }

  void settle() {
    lent_before_.swap(lent_);
    for (const Lent& lent : lent_before_) {
      give_back(lent.buffer);
      Connection& owner = connection(lent.fd);
      owner.sending_now = false;
      if (owner.backlog != nullptr || !owner.receiving) advance(lent.fd);
    }
    lent_before_.clear();
  }

  // Provided buffers -----------------------------------------------------------------------------

  void give_back(std::uint16_t index) {
    io_uring_buf_ring_add(buffer_ring_, buffer(index), buffer_bytes, index,
                          static_cast<int>(buffer_entries - 1), returned_++);
  }
  void return_buffers() {
    if (returned_ != 0) io_uring_buf_ring_advance(buffer_ring_, std::exchange(returned_, 0));
  }
  void add_buffers(unsigned count) {
    count = std::min(count, buffer_entries - added_);
    for (unsigned i = 0; i < count; ++i) give_back(static_cast<std::uint16_t>(added_++));
    return_buffers();
  }

  // Accepting and closing ------------------------------------------------------------------------

  void arm_accept() {
    io_uring_sqe* sqe = entry();
    io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
    sqe->user_data = Tag{Operation::accept, listener_}.pack();
    accepting_ = true;
  }

  void accepted(const io_uring_cqe& cqe) {
    if (cqe.res >= 0) {
      const auto index = static_cast<std::size_t>(cqe.res);
      if (index >= connections_.size()) connections_.resize(index + 1);
      arm_receive(cqe.res);
    }
    if ((cqe.flags & IORING_CQE_F_MORE) != 0) return;
    accepting_ = false;
    const bool exhausted =
        cqe.res == -EMFILE || cqe.res == -ENFILE || cqe.res == -ENOMEM || cqe.res == -ENOBUFS;
    if (!exhausted) arm_accept();  // else when a connection closes
  }

  void close_connection(int fd) {
    connection(fd) = {};
    io_uring_sqe* sqe = entry();
    io_uring_prep_close(sqe, fd);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = Tag{Operation::close, fd}.pack();
    if (!accepting_) arm_accept();
  }

  // Receiving ------------------------------------------------------------------------------------

  void arm_receive(int fd) {
    io_uring_sqe* sqe = entry();
    io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = Tag{Operation::receive, fd}.pack();
    connection(fd).receiving = true;
    connection(fd).starved = false;
  }

  void received(int fd, const io_uring_cqe& cqe) {
    Connection& self = connection(fd);
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) self.receiving = false;
    if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
      const auto index = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
      if (cqe.res > 0 && !self.ending) {
        received_bytes(fd, self, index, static_cast<std::size_t>(cqe.res));
      } else {
        give_back(index);
      }
    }
    if (self.receiving) return;
    if (cqe.res == -ENOBUFS && !self.ending) {
      self.starved = true;
      starved_.push_back(fd);
    } else if (cqe.res > 0 || cqe.res == -ECANCELED) {
      advance(fd);
    } else {
      self.ending = true;
      advance(fd);
    }
  }

  void received_bytes(int fd, Connection& self, std::uint16_t index, std::size_t size) {
    const char* bytes = buffer(index);
    if (self.backlog == nullptr && !self.sending_now) [[likely]] {
      const std::size_t whole = whole_packets(bytes, size);
      if (whole != size) {
        self.backlog = std::make_unique<Backlog>();
        self.backlog->input.assign(bytes + whole, size - whole);
      }
      if (whole == 0) {
        give_back(index);
        return;
      }
      io_uring_sqe* sqe = entry();
      io_uring_prep_send(sqe, fd, bytes, whole, MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
      sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
      sqe->user_data =
          Tag{Operation::send_now, fd, index, static_cast<std::uint16_t>(whole)}.pack();
      self.sending_now = true;
      lent_.push_back({fd, index});
      return;
    }
    if (self.backlog == nullptr) self.backlog = std::make_unique<Backlog>();
    Backlog& backlog = *self.backlog;
    backlog.input.append(bytes, size);
    give_back(index);
    const std::size_t whole = whole_packets(backlog.input.data(), backlog.input.size());
    backlog.queued.append(backlog.input, 0, whole);
    backlog.input.erase(0, whole);
    if (whole != 0) advance(fd);
  }

  // Sending --------------------------------------------------------------------------------------

  /// The peer did not take all at once: the rest leaves the lent buffer and waits in the kernel.
  void send_failed(const Tag& tag, int result) {
    Connection& self = connection(tag.fd);
    if (result < 0 && result != -EAGAIN && result != -EINTR) {
      broken(tag.fd, self);
      return;
    }
    const auto taken = static_cast<std::size_t>(std::max(result, 0));
    if (self.backlog == nullptr) self.backlog = std::make_unique<Backlog>();
    self.backlog->sending.assign(buffer(tag.buffer) + taken, tag.length - taken);
    send_rest(tag.fd, self);
  }

  void send_rest(int fd, Connection& self) {
    const std::string& rest = self.backlog->sending;
    io_uring_sqe* sqe = entry();
    io_uring_prep_send(sqe, fd, rest.data(), rest.size(), MSG_WAITALL | MSG_NOSIGNAL);
    sqe->user_data = Tag{Operation::send_queued, fd}.pack();
    self.sending = true;
  }

  void sent(int fd, int result) {
    Connection& self = connection(fd);
    self.sending = false;
    if (result < 0 && result != -EINTR) {
      broken(fd, self);
    } else {
      self.backlog->sending.erase(0, static_cast<std::size_t>(std::max(result, 0)));
      if (!self.backlog->sending.empty()) {
        send_rest(fd, self);
        return;
      }
    }
    advance(fd);
  }

  /// What is unsent will never be; shutting down ends the armed receive, which closing would not.
  void broken(int fd, Connection& self) {
    self.backlog.reset();
    self.ending = true;
    shutdown(fd, SHUT_RDWR);
  }

  /// Takes the next step of a connection on the slow path: send, pause, resume or close.
  void advance(int fd) {
    Connection& self = connection(fd);
    if (self.sending_now || self.sending) {
      if (self.sending_now) unfinished_ = true;
      const bool full = self.backlog != nullptr && self.backlog->queued.size() > unsent_limit;
      if (full && !self.paused && self.receiving) {
        self.paused = true;
        io_uring_sqe* sqe = entry();
        io_uring_prep_cancel64(sqe, Tag{Operation::receive, fd}.pack(), 0);
        sqe->user_data = Tag{Operation::cancel, fd}.pack();
      } else if (!full && !self.receiving && !self.ending && !self.paused) {
        arm_receive(fd);
      }
      return;
    }
    if (self.backlog != nullptr) {
      Backlog& backlog = *self.backlog;
      if (!backlog.queued.empty()) {
        backlog.sending.swap(backlog.queued);
        backlog.queued.clear();
        send_rest(fd, self);
        return;
      }
      if (backlog.input.empty()) self.backlog.reset();
    }
    if (self.receiving) return;
    if (self.ending) {
      close_connection(fd);
    } else {
      self.paused = false;
      arm_receive(fd);
    }
  }

  int listener_;
  bool accepting_ = false;
  bool unfinished_ =
      false;  // a connection has a step to take when its send out of a lent buffer is over
  io_uring ring_ = {};
  io_uring_buf_ring* buffer_ring_ = nullptr;
  char* buffers_ = nullptr;
  unsigned added_ = 0;
  int returned_ = 0;
  std::vector<Connection> connections_;  // by descriptor
  std::vector<Lent> lent_;
  std::vector<Lent> lent_before_;
  std::vector<int> starved_;
  std::vector<int> starving_;
};

}  // namespace
}  // namespace hawser::bench

int main(int count, char** words) {
  using namespace hawser::bench;
  prepare_process();
  const int listener = open_listener(read_command_line(count, words), 0);
  Server server(listener);
  announce(listener);
  server.run();
}
