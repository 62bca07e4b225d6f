// The floor, first way: framed echo on a bare epoll loop. One thread, one receive buffer for all
// connections, packets cut where they were received, one send per connection and turn.
//
// Edge-triggered, because level-triggered epoll asks every socket of the last turn again on the
// next one. A read that does not fill the buffer has emptied the socket, so no read ends in EAGAIN.
#include "common.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bench {
namespace {

/// What a connection holds only while it must: the head of an unfinished packet, or bytes that its
/// peer did not take yet. An idle connection costs one null pointer.
struct Backlog {
  std::string input;
  std::string output;
};

class Server {
 public:
  explicit Server(int listener) : epoll_(epoll_create1(EPOLL_CLOEXEC)), listener_(listener) {
    if (epoll_ < 0) die("epoll_create1");
    control(EPOLL_CTL_ADD, listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events;
    while (true) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) die("epoll_wait");
      for (int i = 0; i < count; ++i) {
        // A descriptor appears once per turn, and only its own event closes it: none is stale.
        const auto& event = events[static_cast<std::size_t>(i)];
        const int fd = event.data.fd;
        if (fd == listener_) {
          accept_all();
          continue;
        }
        if ((event.events & EPOLLOUT) != 0 && !flush(fd)) continue;
        if ((event.events & ~static_cast<unsigned>(EPOLLOUT)) != 0) {
          const bool ending = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
          while (receive(fd) && ending) {
          }
        }
      }
    }
  }

 private:
  static constexpr unsigned reading = EPOLLIN | EPOLLRDHUP | EPOLLET;

  void control(int operation, int fd, unsigned events) {
    epoll_event event = {};
    event.events = events;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, operation, fd, &event) != 0) die("epoll_ctl");
  }

  void accept_all() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= backlogs_.size()) backlogs_.resize(index + 1);
        control(EPOLL_CTL_ADD, fd, reading);
        continue;
      }
      if (errno == EAGAIN) return;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        control(EPOLL_CTL_MOD, listener_, 0);  // until a connection closes
        accepting_ = false;
        return;
      }
      // EINTR, ECONNABORTED and the network errors accept4 may report belong to one connection.
    }
  }

  void close_connection(int fd) {
    backlogs_[static_cast<std::size_t>(fd)].reset();
    close(fd);
    if (!accepting_) {
      control(EPOLL_CTL_MOD, listener_, EPOLLIN);
      accepting_ = true;
    }
  }

  /// One receive and one send. True when the connection is open and may have more to read.
  bool receive(int fd) {
    auto& backlog = backlogs_[static_cast<std::size_t>(fd)];
    std::size_t kept = 0;
    if (backlog) {
      if (!backlog->output.empty()) return false;  // it reads again when its peer has read
      kept = backlog->input.copy(buffer_.data(), backlog->input.size());
    }
    const std::size_t room = buffer_.size() - kept;
    const ssize_t got = recv(fd, buffer_.data() + kept, room, 0);
    if (got <= 0) {
      if (got < 0 && errno == EAGAIN) return false;
      if (got < 0 && errno == EINTR) return receive(fd);
      close_connection(fd);
      return false;
    }
    const std::size_t size = kept + static_cast<std::size_t>(got);
    const std::size_t whole = whole_packets(buffer_.data(), size);
    std::size_t sent = 0;
    if (whole != 0) {
      const ssize_t taken = send(fd, buffer_.data(), whole, MSG_NOSIGNAL);
      if (taken < 0 && errno != EAGAIN && errno != EINTR) {
        close_connection(fd);
        return false;
      }
      sent = taken < 0 ? 0 : static_cast<std::size_t>(taken);
    }
    if (size == whole && sent == whole) {
      if (backlog) backlog.reset();
    } else {
      if (!backlog) backlog = std::make_unique<Backlog>();
      backlog->input.assign(buffer_.data() + whole, size - whole);
      backlog->output.assign(buffer_.data() + sent, whole - sent);
      if (sent != whole) {
        control(EPOLL_CTL_MOD, fd, reading | EPOLLOUT);
        return false;
      }
    }
    // A full buffer may have left bytes behind and no edge will tell: asking again brings the
    // event back in the next turn, after everybody else's.
    if (static_cast<std::size_t>(got) == room) control(EPOLL_CTL_MOD, fd, reading);
    return true;
  }

  /// Sends what was left unsent. False when the connection closed.
  bool flush(int fd) {
    auto& backlog = backlogs_[static_cast<std::size_t>(fd)];
    if (!backlog || backlog->output.empty()) return true;
    const ssize_t taken = send(fd, backlog->output.data(), backlog->output.size(), MSG_NOSIGNAL);
    if (taken < 0) {
      if (errno == EAGAIN || errno == EINTR) return true;
      close_connection(fd);
      return false;
    }
    backlog->output.erase(0, static_cast<std::size_t>(taken));
    if (backlog->output.empty()) {
      if (backlog->input.empty()) backlog.reset();
      control(EPOLL_CTL_MOD, fd, reading);  // reports again what arrived meanwhile
    }
    return true;
  }

  int epoll_;
  int listener_;
  bool accepting_ = true;
  std::vector<std::unique_ptr<Backlog>> backlogs_;  // by descriptor
  std::vector<char> buffer_ = std::vector<char>(2 * longest_packet);
};

}  // namespace
}  // namespace hawser::bench

int main(int count, char** words) {
  using namespace hawser::bench;
  prepare_process();
  const int listener = open_listener(read_command_line(count, words), SOCK_NONBLOCK);
  Server server(listener);
  announce(listener);
  server.run();
}
