// The answer to a TLS client's hello, for a server that must ask somebody first
// (TlsServerOptions::on_hello_later). Public; a value that may be taken along to any thread.
#pragma once

#include <hawser/net/tls/tls_options.hpp>
#include <hawser/process/pid.hpp>

#include <memory>
#include <string>

namespace hawser {

class TlsTransport;

namespace detail {

/// How a paused handshake goes on.
struct HelloVerdict {
  bool accepted = false;
  std::string name{};  ///< accepted: as if the client had asked for this server; "": as it did
  std::string why{};   ///< declined
};

/// The pause itself, which may end before the answer comes.
struct HelloPause {
  explicit HelloPause(Pid pid) noexcept : connection(pid) {}
  Pid connection;
  TlsTransport* transport = nullptr;  ///< read and written on the connection's thread alone
};

}  // namespace detail

/// To be used once; used or not, it must not be forgotten: one that is destroyed unused declines.
/// An answer to a connection that has ended meanwhile does nothing.
class TlsHelloAnswer {
 public:
  explicit TlsHelloAnswer(std::shared_ptr<detail::HelloPause> pause) noexcept;
  TlsHelloAnswer(TlsHelloAnswer&&) noexcept = default;
  TlsHelloAnswer& operator=(TlsHelloAnswer&&) = delete;
  ~TlsHelloAnswer();

  /// The handshake goes on.
  void go_on();
  /// It goes on with the certificate of this server name (one of TlsServerOptions::identities),
  /// whatever the client has asked for.
  void go_on_as(std::string server_name);
  /// The client gets an alert; `why` is the connection's reason.
  void decline(std::string why);

 private:
  void answer(detail::HelloVerdict verdict);
  std::shared_ptr<detail::HelloPause> pause_;  // shared for real: with the transport
};

}  // namespace hawser
