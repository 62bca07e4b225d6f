// A TLS server and a TLS client back to back on one simulated scheduler. Internal to tests.
#pragma once

#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/testing/transport_ends.hpp>
#include <hawser/net/tls/testing/certificates.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/net/tls/tls_transport.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace hawser::testing {

/// One scheduler, two contexts, and an authority that both know.
class TlsWorld {
 public:
  explicit TlsWorld(std::uint64_t seed = 1, KeyKind key = KeyKind::ec_p256)
      : world(seed, 1),
        authority({.common_name = "hawser test authority", .key = key}),
        certificate(authority.issue(
            {.common_name = "broker", .names = {"broker.example", "10.0.0.1"}, .key = key})) {
    server_options.identities = {certificate.identity()};
    client_options.trust = authority.trust();
    static_cast<void>(world.system->run_on(0, [&](Scheduler& each) { scheduler = &each; }));
  }

  std::unique_ptr<TransportEnd> end(const TransportMaker& maker, std::string host = {}) {
    auto made = std::make_unique<TransportEnd>(maker(), std::move(host));
    made->scheduler_used = scheduler;
    return made;
  }
  TlsServerContext server_context() {
    auto made = TlsServerContext::create(server_options);
    if (!made) throw std::runtime_error(made.error().text());
    return *made;
  }
  TlsClientContext client_context() {
    auto made = TlsClientContext::create(client_options);
    if (!made) throw std::runtime_error(made.error().text());
    return *made;
  }
  /// The scheduler's turns: the budget's next.
  void turn() { world.run(5ms); }

  NetWorld world;
  Scheduler* scheduler = nullptr;
  TestAuthority authority;
  IssuedCertificate certificate;
  TlsServerOptions server_options;
  TlsClientOptions client_options;
};

/// Both ends of one connection.
class TlsPair {
 public:
  TlsPair(TlsWorld& world, const TlsServerContext& server_side, const TlsClientContext& client_side,
          std::string host = "broker.example")
      : world_(world),
        server(world.end(tls_server(server_side))),
        client(world.end(tls_client(client_side), std::move(host))) {}
  explicit TlsPair(TlsWorld& world, std::string host = "broker.example")
      : TlsPair(world, world.server_context(), world.client_context(), std::move(host)) {}

  /// Until nothing moves any more.
  TlsPair& shake(std::size_t piece = 0) {
    server->start();
    client->start();
    run(piece);
    return *this;
  }
  void run(std::size_t piece = 0) {
    for (int turn = 0; turn < 4; ++turn) {
      exchange(*client, *server, piece);
      world_.turn();
    }
  }
  bool ready() const { return server->is_ready && client->is_ready; }
  TlsTransport& server_tls() { return static_cast<TlsTransport&>(*server->transport); }
  TlsTransport& client_tls() { return static_cast<TlsTransport&>(*client->transport); }
  std::string why() const {
    return "server: " + (server->failed ? server->failed->text() : "-") +
           ", client: " + (client->failed ? client->failed->text() : "-");
  }

 private:
  TlsWorld& world_;

 public:
  std::unique_ptr<TransportEnd> server;
  std::unique_ptr<TransportEnd> client;
};

}  // namespace hawser::testing
