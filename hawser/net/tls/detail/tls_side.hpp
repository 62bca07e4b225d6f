// What OpenSSL's callbacks find of a connection, and the BIO between an SSL and its Link: it reads
// from bytes that were lent to us and writes straight into the queue below, so that it holds no
// buffer. Internal to the TLS transport; belongs to the connection's thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/net/transport.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

struct bio_method_st;
struct bio_st;
struct ssl_st;

namespace hawser::detail {

class TlsGeneration;

/// Both the BIO's data and the SSL's application data.
struct TlsSide {
  Transport::Link* link = nullptr;
  BytesView input;     ///< what the BIO reads from; taken from the front
  bool wrote = false;  ///< there is something to flush
  std::shared_ptr<const TlsGeneration> generation{};  ///< from the first step on
  std::string peer_name{};  ///< client: whom it wants; sessions are kept by it
  /// Server that may answer the hello later: where it stands. Once answered it stays so, also for
  /// the second hello of a client that was asked to retry.
  enum class Hello : std::uint8_t { not_seen, paused, answered };
  Hello hello = Hello::not_seen;
  std::string hello_name{};     ///< what the client asked for; then what the answer says it did
  std::string declined{};       ///< why we ended the handshake ourselves
  std::exception_ptr thrown{};  ///< out of the user's hook
};

/// One for all BIOs of a generation.
bio_method_st* make_bio_method();
/// A BIO over `side`, which must outlive it. nullptr without memory.
bio_st* make_bio(const bio_method_st* method, TlsSide& side);
TlsSide& side_of(const ssl_st* ssl);

}  // namespace hawser::detail
