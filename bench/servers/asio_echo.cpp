// Framed echo on standalone Asio, as one would write it for speed: one thread without Asio's locks,
// the io_context as executor type (no type erasure), a read buffer per connection, packets cut in
// place, the reply written at once and asynchronously only for what the socket did not take.
#include "common.hpp"

#include <array>
#include <asio.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace hawser::bench {
namespace {

using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(Socket socket) : socket_(std::move(socket)) {}

  void start() {
    std::error_code error;
    socket_.non_blocking(true, error);
    if (!error) read();
  }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](std::error_code error, std::size_t size) {
                              if (!error) self->received(size);
                            });
  }

  void received(std::size_t size) {
    const char* bytes = buffer_.data();
    if (!input_.empty()) {
      input_.append(buffer_.data(), size);
      bytes = input_.data();
      size = input_.size();
    }
    const std::size_t whole = whole_packets(bytes, size);
    std::size_t sent = 0;
    if (whole != 0) {
      std::error_code error;
      sent = socket_.write_some(asio::buffer(bytes, whole), error);
      if (error && error != asio::error::would_block) return;
    }
    if (sent != whole) output_.assign(bytes + sent, whole - sent);
    if (!input_.empty()) {
      input_.erase(0, whole);
    } else if (whole != size) {
      input_.assign(bytes + whole, size - whole);
    }
    if (output_.empty()) {
      read();
    } else {
      write_rest();
    }
  }

  void write_rest() {
    asio::async_write(socket_, asio::buffer(output_),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (error) return;
                        self->output_.clear();
                        self->read();
                      });
  }

  Socket socket_;
  std::string input_;   // the head of an unfinished packet
  std::string output_;  // what the peer did not take at once
  std::array<char, 4096> buffer_;
};

class Server {
 public:
  Server(asio::io_context& context, int listener)
      : acceptor_(context, asio::ip::tcp::v4(), listener), retry_(context) {}

  void accept() {
    acceptor_.async_accept([this](std::error_code error, Socket socket) {
      if (!error) {
        std::make_shared<Session>(std::move(socket))->start();
      } else if (error == asio::error::no_descriptors || error == asio::error::no_memory) {
        retry_.expires_after(std::chrono::milliseconds(50));
        retry_.async_wait([this](std::error_code) { accept(); });
        return;
      }
      accept();
    });
  }

 private:
  Acceptor acceptor_;
  asio::steady_timer retry_;
};

}  // namespace
}  // namespace hawser::bench

int main(int count, char** words) {
  using namespace hawser::bench;
  prepare_process();
  const int listener = open_listener(read_command_line(count, words), 0);
  asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
  Server server(context, listener);
  server.accept();
  announce(listener);
  context.run();
}
