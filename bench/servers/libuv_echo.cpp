// Framed echo on libuv: one loop, one receive buffer shared by all connections (libuv reads when it
// has asked for the buffer, so none is held in between), packets cut in place, uv_try_write for the
// reply and uv_write for what the socket did not take.
#include "common.hpp"

#include <uv.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser::bench {
namespace {

void check(int result, const char* what) {
  if (result >= 0) return;
  std::fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
  std::exit(1);
}

struct Backlog {
  std::string input;   // the head of an unfinished packet
  std::string output;  // what the peer did not take at once
  uv_write_t write;
};

struct Connection {
  uv_tcp_t socket;
  std::unique_ptr<Backlog> backlog;

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket); }
  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&socket); }
  Backlog& need_backlog() {
    if (!backlog) backlog = std::make_unique<Backlog>();
    return *backlog;
  }
};

std::vector<char>& receive_buffer() {
  static std::vector<char> buffer(2 * longest_packet);
  return buffer;
}

template <class Handle>
Connection& owner_of(Handle* handle) {
  return *static_cast<Connection*>(handle->data);
}

void close_connection(Connection& connection) {
  if (uv_is_closing(connection.handle()) != 0) return;
  uv_close(connection.handle(),
           [](uv_handle_t* handle) { const std::unique_ptr<Connection> end(&owner_of(handle)); });
}

void offer_buffer(uv_handle_t* handle, std::size_t, uv_buf_t* out) {
  // The head of an unfinished packet goes in front, so that packets lie in one piece.
  auto& buffer = receive_buffer();
  const auto& backlog = owner_of(handle).backlog;
  const std::size_t kept = backlog ? backlog->input.copy(buffer.data(), backlog->input.size()) : 0;
  *out = uv_buf_init(buffer.data() + kept, static_cast<unsigned>(buffer.size() - kept));
}

void received(uv_stream_t* stream, ssize_t got, const uv_buf_t* where);

void write_rest(Connection& connection) {
  uv_read_stop(connection.stream());
  Backlog& backlog = *connection.backlog;
  const uv_buf_t rest =
      uv_buf_init(backlog.output.data(), static_cast<unsigned>(backlog.output.size()));
  backlog.write.data = &connection;
  const int result =
      uv_write(&backlog.write, connection.stream(), &rest, 1, [](uv_write_t* write, int status) {
        Connection& self = owner_of(write);
        if (status < 0) {
          close_connection(self);
          return;
        }
        self.backlog->output.clear();
        if (self.backlog->input.empty()) self.backlog.reset();
        if (uv_read_start(self.stream(), offer_buffer, received) != 0) close_connection(self);
      });
  if (result != 0) close_connection(connection);
}

void received(uv_stream_t* stream, ssize_t got, const uv_buf_t* where) {
  Connection& self = owner_of(stream);
  if (got < 0) {
    close_connection(self);
    return;
  }
  if (got == 0) return;  // EAGAIN
  const char* bytes = receive_buffer().data();
  const std::size_t size = static_cast<std::size_t>(where->base - bytes + got);
  const std::size_t whole = whole_packets(bytes, size);
  std::size_t sent = 0;
  if (whole != 0) {
    const uv_buf_t reply = uv_buf_init(const_cast<char*>(bytes), static_cast<unsigned>(whole));
    const int taken = uv_try_write(stream, &reply, 1);
    if (taken < 0 && taken != UV_EAGAIN) {
      close_connection(self);
      return;
    }
    sent = taken < 0 ? 0 : static_cast<std::size_t>(taken);
  }
  if (size == whole && sent == whole) {
    if (self.backlog) self.backlog.reset();
    return;
  }
  self.need_backlog().input.assign(bytes + whole, size - whole);
  if (sent != whole) {
    self.backlog->output.assign(bytes + sent, whole - sent);
    write_rest(self);
  }
}

void connected(uv_stream_t* listener, int status) {
  if (status < 0) return;
  auto connection = std::make_unique<Connection>();
  check(uv_tcp_init(listener->loop, &connection->socket), "uv_tcp_init");
  connection->socket.data = connection.get();
  Connection& self = *connection.release();  // libuv's, until the close callback
  if (uv_accept(listener, self.stream()) != 0 ||
      uv_read_start(self.stream(), offer_buffer, received) != 0) {
    close_connection(self);
  }
}

}  // namespace
}  // namespace hawser::bench

int main(int count, char** words) {
  using namespace hawser::bench;
  prepare_process();
  const int listener = open_listener(read_command_line(count, words), SOCK_NONBLOCK);
  uv_loop_t loop;
  uv_tcp_t acceptor;
  check(uv_loop_init(&loop), "uv_loop_init");
  check(uv_tcp_init(&loop, &acceptor), "uv_tcp_init");
  check(uv_tcp_open(&acceptor, listener), "uv_tcp_open");
  check(uv_listen(reinterpret_cast<uv_stream_t*>(&acceptor), listen_backlog, connected),
        "uv_listen");
  announce(listener);
  return uv_run(&loop, UV_RUN_DEFAULT);
}
