// The floor for TLS: framed echo on a bare epoll loop with OpenSSL over memory BIOs. One thread,
// one buffer each for ciphertext and plain bytes, one receive, one SSL_write and one send per
// connection and turn; otherwise as bare_epoll. Its certificate is made at the start and signed by
// itself.
#include "common.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

namespace hawser::bench {
namespace {

struct Release {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

std::unique_ptr<SSL_CTX, Release> make_context() {
  std::unique_ptr<SSL_CTX, Release> context(SSL_CTX_new(TLS_server_method()));
  const std::unique_ptr<EVP_PKEY, Release> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Release> certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400L * 365);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>("localhost");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  if (SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    die("certificate");
  }
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

struct Connection {
  std::unique_ptr<SSL, Release> ssl;
  BIO* in = nullptr;   // the SSL owns both
  BIO* out = nullptr;  // what stays in it was not taken by the peer yet
  std::string input;   // the head of an unfinished packet
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
        const auto& event = events[static_cast<std::size_t>(i)];
        const int fd = event.data.fd;
        if (fd == listener_) {
          accept_all();
          continue;
        }
        if ((event.events & EPOLLOUT) != 0 && !flush(fd, true)) continue;
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
        if (index >= connections_.size()) connections_.resize(index + 1);
        auto connection = std::make_unique<Connection>();
        connection->ssl.reset(SSL_new(context_.get()));
        connection->in = BIO_new(BIO_s_mem());
        connection->out = BIO_new(BIO_s_mem());
        BIO_set_mem_eof_return(connection->in, -1);
        SSL_set_bio(connection->ssl.get(), connection->in, connection->out);
        SSL_set_accept_state(connection->ssl.get());
        connections_[index] = std::move(connection);
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
    connections_[static_cast<std::size_t>(fd)].reset();
    close(fd);
    if (!accepting_) {
      control(EPOLL_CTL_MOD, listener_, EPOLLIN);
      accepting_ = true;
    }
  }

  /// One receive and one send. True when the connection is open and may have more to read.
  bool receive(int fd) {
    Connection& connection = *connections_[static_cast<std::size_t>(fd)];
    if (BIO_ctrl_pending(connection.out) != 0) return false;  // it reads again when its peer has
    const ssize_t got = recv(fd, sealed_.data(), sealed_.size(), 0);
    if (got <= 0) {
      if (got < 0 && errno == EAGAIN) return false;
      if (got < 0 && errno == EINTR) return receive(fd);
      close_connection(fd);
      return false;
    }
    BIO_write(connection.in, sealed_.data(), static_cast<int>(got));
    const bool open = echo(connection);
    if (!flush(fd, false)) return false;
    if (!open) {
      close_connection(fd);
      return false;
    }
    if (BIO_ctrl_pending(connection.out) != 0) {
      control(EPOLL_CTL_MOD, fd, reading | EPOLLOUT);
      return false;
    }
    // A full buffer may have left bytes behind and no edge will tell.
    if (static_cast<std::size_t>(got) == sealed_.size()) control(EPOLL_CTL_MOD, fd, reading);
    return true;
  }

  /// Reads all there is and answers it. False when the peer is done or TLS is broken.
  bool echo(Connection& connection) {
    SSL* const ssl = connection.ssl.get();
    std::size_t size = connection.input.copy(plain_.data(), connection.input.size());
    int got = 0;
    while (true) {
      got = SSL_read(ssl, plain_.data() + size, static_cast<int>(plain_.size() - size));
      if (got > 0) size += static_cast<std::size_t>(got);
      // The room is for more than was sealed in one receive; SSL_read never finds it used up.
      if (got <= 0) break;
    }
    const int why = SSL_get_error(ssl, got);
    const std::size_t whole = whole_packets(plain_.data(), size);
    if (whole != 0 && SSL_write(ssl, plain_.data(), static_cast<int>(whole)) <= 0) return false;
    connection.input.assign(plain_.data() + whole, size - whole);
    return why == SSL_ERROR_WANT_READ;
  }

  /// Sends what lies sealed. False when the connection closed.
  bool flush(int fd, bool waited) {
    Connection& connection = *connections_[static_cast<std::size_t>(fd)];
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(connection.out, &bytes);
    if (size <= 0) return true;
    const ssize_t taken = send(fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (taken < 0) {
      if (errno == EAGAIN || errno == EINTR) return true;
      close_connection(fd);
      return false;
    }
    if (taken == size) {
      static_cast<void>(BIO_reset(connection.out));
      if (waited) control(EPOLL_CTL_MOD, fd, reading);  // reports what arrived meanwhile
    } else {
      std::vector<char> taken_out(static_cast<std::size_t>(taken));
      BIO_read(connection.out, taken_out.data(), static_cast<int>(taken));
    }
    return true;
  }

  int epoll_;
  int listener_;
  bool accepting_ = true;
  std::unique_ptr<SSL_CTX, Release> context_ = make_context();
  std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
  std::vector<char> sealed_ = std::vector<char>(2 * longest_packet);
  std::vector<char> plain_ = std::vector<char>(4 * longest_packet);
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
