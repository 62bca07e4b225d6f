// Against a peer that is OpenSSL and nothing of ours: what TLS allows after the handshake, and what
// an idle connection holds of OpenSSL's memory.
#include <hawser/net/tls/detail/openssl.hpp>
#include <hawser/net/tls/testing/tls_pair.hpp>

#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

using namespace hawser::testing;
using namespace hawser::detail;

/// A client over two memory BIOs.
class PlainClient {
 public:
  explicit PlainClient(int version) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    ssl.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl.get(), in_, out_);
    SSL_set_connect_state(ssl.get());
  }

  /// Goes back and forth with `server` until both are silent.
  void talk(TransportEnd& server) {
    while (true) {
      std::array<char, 20000> bytes;
      // What it reads drives its handshake, too.
      for (int got = 1; got > 0;) {
        got = SSL_read(ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
        if (got > 0) received.append(bytes.data(), static_cast<std::size_t>(got));
        if (got <= 0) why = SSL_get_error(ssl.get(), got);
      }
      if (why == SSL_ERROR_SSL) reason = take_openssl_error();
      std::string up;
      for (int got = 1; got > 0;) {
        got = BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        if (got > 0) up.append(bytes.data(), static_cast<std::size_t>(got));
      }
      if (!up.empty()) server.transport->received(up);
      const std::string down = server.wire();
      if (!down.empty()) BIO_write(in_, down.data(), static_cast<int>(down.size()));
      if (up.empty() && down.empty()) return;
    }
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }

 private:
  OpensslContext context_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;

 public:
  Openssl<SSL, SSL_free> ssl;
  std::string received;
  std::string reason;
  int why = 0;
};

struct TlsPeer : ::testing::Test {
  std::unique_ptr<TransportEnd> serve() {
    auto server = world.end(tls_server(world.server_context()));
    server->start();
    return server;
  }
  TlsWorld world;
};

TEST_F(TlsPeer, key_updates_are_taken_and_answered) {
  const auto server = serve();
  PlainClient client(TLS1_3_VERSION);
  client.talk(*server);
  ASSERT_TRUE(server->is_ready);
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(SSL_key_update(client.ssl.get(), SSL_KEY_UPDATE_REQUESTED), 1);
    client.send("up");
    client.talk(*server);
    server->send("down");
    client.talk(*server);
  }
  EXPECT_EQ(server->delivered, "upupupupup");
  EXPECT_EQ(client.received, "downdowndowndowndown");
  EXPECT_FALSE(server->failed);
}

TEST_F(TlsPeer, renegotiation_is_not_done) {
  const auto server = serve();
  PlainClient client(TLS1_2_VERSION);
  client.talk(*server);
  ASSERT_TRUE(server->is_ready);
  ASSERT_EQ(SSL_renegotiate(client.ssl.get()), 1);
  client.talk(*server);
  EXPECT_EQ(client.reason, "no renegotiation");
}

TEST_F(TlsPeer, a_version_below_the_minimum_is_refused) {
  const auto server = serve();
  PlainClient client(TLS1_1_VERSION);
  SSL_set_security_level(client.ssl.get(), 0);
  client.talk(*server);
  ASSERT_TRUE(server->failed);
  EXPECT_NE(server->failed->text().find("no TLS version of ours"), std::string::npos);
}

std::size_t heap_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Everything of OpenSSL's included.
TEST_F(TlsPeer, an_idle_connection_stays_within_24_kib) {
  if (heap_in_use() == 0) GTEST_SKIP() << "a sanitizer's heap does not tell how much is in use";
  world.server_options.handshakes.steps_per_turn = 1000;
  world.client_options.handshakes.steps_per_turn = 1000;
  world.client_options.resume_sessions = false;
  for (const TlsVersion version : {TlsVersion::tls_1_2, TlsVersion::tls_1_3}) {
    world.client_options.protocol.minimum = world.client_options.protocol.maximum = version;
    const TlsServerContext server_side = world.server_context();
    const TlsClientContext client_side = world.client_context();
    std::vector<std::unique_ptr<TransportEnd>> servers;
    std::vector<std::unique_ptr<TransportEnd>> clients;
    const auto open = [&](int count) {
      for (int i = 0; i < count; ++i) {
        TlsPair pair(world, server_side, client_side);
        pair.server->start();
        pair.client->start();
        exchange(*pair.client, *pair.server);
        pair.client->send("hello");
        exchange(*pair.client, *pair.server);
        pair.server->send("hello");
        exchange(*pair.client, *pair.server);
        if (!pair.ready()) world.turn();
        ASSERT_TRUE(pair.ready()) << pair.why();
        pair.server->deliveries = {};
        pair.client->deliveries = {};
        pair.server->transport->hibernate();
        pair.client->transport->hibernate();
        servers.push_back(std::move(pair.server));
        clients.push_back(std::move(pair.client));
        if (i % 100 == 0) world.turn();
      }
      world.turn();
    };
    constexpr int counted = 300;
    open(counted);
    // What goes with the transports alone; the ends around them belong to the test.
    const auto held_by = [](const std::vector<std::unique_ptr<TransportEnd>>& ends) {
      const std::size_t before = heap_in_use();
      for (const auto& end : ends) end->transport.reset();
      return (before - heap_in_use()) / counted;
    };
    const std::size_t server = held_by(servers);
    const std::size_t client = held_by(clients);
    const std::string what = version == TlsVersion::tls_1_2 ? "tls_1_2" : "tls_1_3";
    RecordProperty("server_bytes_" + what, static_cast<int>(server));
    RecordProperty("client_bytes_" + what, static_cast<int>(client));
    EXPECT_LE(server, 24U * 1024);
    EXPECT_LE(client, 24U * 1024);
    EXPECT_GE(server, 1024U);  // or nothing was measured
  }
}

}  // namespace
}  // namespace hawser
