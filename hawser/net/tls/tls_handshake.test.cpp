// Handshakes: in every split, in both versions, and each way in which they shall fail.
#include <hawser/net/tls/testing/tls_pair.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hawser {
namespace {

using namespace hawser::testing;
using ::testing::Test;

constexpr TlsVersion both_versions[] = {TlsVersion::tls_1_2, TlsVersion::tls_1_3};

void allow_only(TlsWorld& world, TlsVersion version) {
  world.client_options.protocol.minimum = version;
  world.client_options.protocol.maximum = version;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

#define EXPECT_CONTAINS(text, part) EXPECT_TRUE(contains(text, part)) << (text)

TEST(TlsHandshake, Tcp_E_71_comes_through_in_both_versions_however_it_is_split) {
  for (const TlsVersion version : both_versions) {
    for (const std::size_t piece : {0U, 1U, 2U, 3U, 5U, 7U, 100U, 1000U}) {
      TlsWorld world;
      allow_only(world, version);
      TlsPair pair(world);
      pair.shake(piece);
      ASSERT_TRUE(pair.ready()) << pair.why() << ", pieces of " << piece;
      pair.client->send("from the client");
      pair.server->send("from the server");
      pair.run(piece);
      EXPECT_EQ(pair.server->delivered, "from the client");
      EXPECT_EQ(pair.client->delivered, "from the server");
      EXPECT_EQ(pair.server_tls().info().version,
                version == TlsVersion::tls_1_2 ? "TLS 1.2" : "TLS 1.3");
    }
  }
}

TEST(TlsHandshake, tells_what_was_agreed_on) {
  TlsWorld world;
  world.server_options.alpn = {"x"};
  world.client_options.alpn = {"x"};
  world.client_options.protocol.cipher_suites = "TLS_AES_256_GCM_SHA384";
  TlsPair pair(world);
  EXPECT_EQ(pair.client_tls().describe(), "TLS, in the handshake");
  EXPECT_EQ(pair.client_tls().info().version, "");
  pair.shake();
  EXPECT_EQ(pair.client_tls().describe(), "TLS 1.3, TLS_AES_256_GCM_SHA384, alpn x");
  EXPECT_EQ(pair.server_tls().describe(), "TLS 1.3, TLS_AES_256_GCM_SHA384, alpn x");
  const TlsInfo info = pair.client_tls().info();
  EXPECT_EQ(info.peer_subject, "CN=broker");
  EXPECT_EQ(info.peer_names, (std::vector<std::string>{"DNS:broker.example", "IP:10.0.0.1"}));
  EXPECT_EQ(info.peer_fingerprint.size(), 32U * 3 - 1);
  EXPECT_TRUE(info.peer_verified);
  EXPECT_FALSE(info.resumed);
  EXPECT_EQ(pair.server_tls().info().server_name, "broker.example");
  EXPECT_EQ(pair.server_tls().info().peer_subject, "");
  EXPECT_FALSE(pair.server_tls().info().peer_verified);
}

TEST(TlsHandshake, takes_every_kind_of_key) {
  for (const KeyKind key : {KeyKind::ec_p256, KeyKind::ed25519, KeyKind::rsa_2048}) {
    TlsWorld world(1, key);
    TlsPair pair(world);
    EXPECT_TRUE(pair.shake().ready()) << pair.why();
  }
}

TEST(TlsHandshake, a_wrong_host_is_refused_and_named) {
  TlsWorld world;
  TlsPair pair(world, "other.example");
  pair.shake();
  EXPECT_FALSE(pair.client->is_ready);
  ASSERT_TRUE(pair.client->failed);
  EXPECT_EQ(pair.client->failed->kind(), Reason::Kind::failed);
  EXPECT_CONTAINS(pair.client->failed->text(), "hostname mismatch");
  EXPECT_CONTAINS(pair.client->failed->text(), "other.example");
  EXPECT_CONTAINS(pair.client->failed->text(), "DNS:broker.example");
  ASSERT_TRUE(pair.server->failed);
  EXPECT_CONTAINS(pair.server->failed->text(), "the peer refused with alert \"bad certificate\"");
}

TEST(TlsHandshake, an_address_is_looked_for_among_the_addresses) {
  TlsWorld world;
  TlsPair good(world, "10.0.0.1");
  EXPECT_TRUE(good.shake().ready()) << good.why();
  EXPECT_EQ(good.server_tls().info().server_name, "");  // RFC 6066: addresses are no server names
  TlsPair bad(world, "10.0.0.2");
  bad.shake();
  EXPECT_FALSE(bad.ready());
  EXPECT_CONTAINS(bad.why(), "IP address mismatch");
}

TEST(TlsHandshake, the_name_in_the_options_counts_before_the_host) {
  TlsWorld world;
  world.client_options.server_name = "broker.example";
  TlsPair pair(world, "127.0.0.1");
  EXPECT_TRUE(pair.shake().ready()) << pair.why();
  EXPECT_EQ(pair.server_tls().info().server_name, "broker.example");
}

TEST(TlsHandshake, a_client_that_knows_no_name_does_not_begin) {
  TlsWorld world;
  TlsPair pair(world, "");
  pair.client->start();
  ASSERT_TRUE(pair.client->failed);
  EXPECT_CONTAINS(pair.client->failed->text(), "set server_name");
  EXPECT_EQ(pair.client->wire(), "");
}

TEST(TlsHandshake, Tcp_EB_24_an_authority_nobody_trusts_is_refused) {
  for (const TlsVersion version : both_versions) {
    TlsWorld world;
    allow_only(world, version);
    TestAuthority other;
    world.client_options.trust = other.trust();
    TlsPair pair(world);
    pair.shake();
    EXPECT_FALSE(pair.ready());
    ASSERT_TRUE(pair.client->failed && pair.server->failed);
    EXPECT_CONTAINS(pair.client->failed->text(), "the peer's certificate is not accepted");
    EXPECT_CONTAINS(pair.server->failed->text(), "alert \"unknown CA\"");
  }
}

TEST(TlsHandshake, Tcp_EB_24_verification_can_be_skipped_and_is_loud) {
  TlsWorld world;
  world.client_options.trust = {};
  world.client_options.dangerously_skip_verification = true;
  TlsPair pair(world, "");
  EXPECT_TRUE(pair.shake().ready()) << pair.why();
  EXPECT_FALSE(pair.client_tls().info().peer_verified);
  EXPECT_CONTAINS(pair.client_tls().describe(), "peer not verified");
  EXPECT_EQ(world.world.lines_with("dangerously_skip_verification is on"), 1U);
}

TEST(TlsHandshake, validity_goes_by_the_engines_time_of_day) {
  // The simulator's day is 2026-01-01.
  using namespace std::chrono;
  TlsWorld world;
  CertificateOptions options{.common_name = "broker", .names = {"broker.example"}};
  options.ends = sys_days(2025y / December / 31);
  world.server_options.identities = {world.authority.issue(options).identity()};
  TlsPair expired(world);
  expired.shake();
  EXPECT_FALSE(expired.ready());
  EXPECT_CONTAINS(expired.why(), "certificate has expired");
  EXPECT_EQ(world.world.lines_with("has expired at 2025-12-31"), 1U) << world.world.all_lines();

  options.begins = sys_days(2026y / January / 2);
  options.ends = sys_days(2026y / March / 1);
  world.server_options.identities = {world.authority.issue(options).identity()};
  TlsPair early(world);
  early.shake();
  EXPECT_CONTAINS(early.why(), "certificate is not yet valid");
  world.world.run(std::chrono::hours(24));
  TlsPair now(world);
  EXPECT_TRUE(now.shake().ready()) << now.why();
}

TEST(TlsHandshake, client_certificates_are_asked_for_and_checked) {
  const auto connect = [](TlsVersion version, TlsClientCertificates wanted, int shown) {
    TlsWorld world;
    allow_only(world, version);
    world.server_options.client_certificates = wanted;
    world.server_options.client_trust = world.authority.trust();
    TestAuthority other;
    if (shown == 1) world.client_options.identity = world.authority.issue_for("alice").identity();
    if (shown == 2) world.client_options.identity = other.issue_for("mallory").identity();
    TlsPair pair(world);
    pair.shake();
    return std::pair(pair.server->is_ready ? "ready " + pair.server_tls().info().peer_subject
                                           : pair.server->failed->text(),
                     pair.client->failed ? pair.client->failed->text() : std::string());
  };
  for (const TlsVersion version : both_versions) {
    using enum TlsClientCertificates;
    EXPECT_EQ(connect(version, request, 0).first, "ready ");
    EXPECT_EQ(connect(version, request, 1).first, "ready CN=alice");
    EXPECT_EQ(connect(version, require, 1).first, "ready CN=alice");
    EXPECT_EQ(connect(version, require, 0).first,
              "failed: TLS handshake: the client shows no certificate");
    EXPECT_CONTAINS(connect(version, require, 0).second, "the peer refused with alert");
    EXPECT_CONTAINS(connect(version, request, 2).first, "certificate is not accepted");
    EXPECT_CONTAINS(connect(version, request, 2).second, "alert \"unknown CA\"");
  }
}

TEST(TlsHandshake, no_version_or_cipher_in_common_is_said) {
  TlsWorld world;
  world.server_options.protocol.minimum = TlsVersion::tls_1_3;
  allow_only(world, TlsVersion::tls_1_2);
  TlsPair version(world);
  version.shake();
  EXPECT_CONTAINS(version.server->failed->text(), "no TLS version of ours");
  EXPECT_CONTAINS(version.client->failed->text(), "alert \"protocol version\"");

  world.server_options.protocol.minimum = TlsVersion::tls_1_2;
  world.server_options.protocol.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  world.client_options.protocol.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  TlsPair cipher(world);
  cipher.shake();
  EXPECT_CONTAINS(cipher.server->failed->text(), "no shared cipher");
  EXPECT_CONTAINS(cipher.client->failed->text(), "alert \"handshake failure\"");
}

TEST(TlsHandshake, what_is_no_tls_is_named) {
  TlsWorld world;
  const auto answer = [&](std::string bytes, std::size_t piece) {
    auto server = world.end(tls_server(world.server_context()));
    server->start();
    for (std::size_t at = 0; at < bytes.size() && !server->failed; at += piece) {
      server->transport->received(BytesView(bytes).substr(at, piece));
    }
    return server->failed ? server->failed->text() : std::string("waits");
  };
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
    EXPECT_CONTAINS(answer("GET / HTTP/1.1\r\nHost: x\r\n\r\n", piece), "speaks plain HTTP");
    EXPECT_CONTAINS(answer("POST /a HTTP/1.1\r\nHost: x\r\n\r\n", piece), "speaks plain HTTP");
    EXPECT_CONTAINS(answer("STOMP\naccept-version:1.2\n\n", piece), "no TLS");
    EXPECT_CONTAINS(answer(std::string(100, '\0'), piece), "protocol_error: TLS handshake: ");
    EXPECT_CONTAINS(answer(std::string(100, '\xff'), piece), "protocol_error: TLS handshake: ");
    EXPECT_CONTAINS(answer(std::string("\x16\x03\x01\xff\xff", 5), piece), "protocol_error: TLS");
    EXPECT_CONTAINS(answer(std::string("\x16\x03\x01\x00\x04\x01\x00\x00\x01\x00", 10), piece),
                    "waits");
    EXPECT_CONTAINS(answer(std::string("\x17\x03\x03\x00\x01x", 6), piece), "protocol_error: TLS");
  }
  auto client = world.end(tls_client(world.client_context()), "broker.example");
  client->start();
  client->transport->received("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_CONTAINS(client->failed->text(), "no TLS");
}

TEST(TlsHandshake, random_bytes_never_do_worse_than_fail) {
  TlsWorld world;
  Random random(7);
  const TlsServerContext context = world.server_context();
  std::string hello;
  {
    auto client = world.end(tls_client(world.client_context()), "broker.example");
    client->start();
    hello = client->wire();
  }
  for (int round = 0; round < 2000; ++round) {
    auto server = world.end(tls_server(context));
    server->start();
    std::string bytes = hello;
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      bytes[static_cast<std::size_t>(random.below(bytes.size()))] =
          static_cast<char>(random.next());
    }
    server->transport->received(bytes);
    if (round % 8 == 0) world.turn();
    EXPECT_FALSE(server->is_ready);
    server->transport->finish(Reason::normal());
  }
}

TEST(TlsHandshake, a_peer_that_leaves_in_the_middle_is_no_broken_protocol) {
  TlsWorld world;
  auto server = world.end(tls_server(world.server_context()));
  server->start();
  server->transport->received_end();
  ASSERT_TRUE(server->failed);
  EXPECT_EQ(server->failed->kind(), Reason::Kind::closed);
  EXPECT_EQ(server->wire(), "");
}

TEST(TlsHandshake, one_that_is_cut_into_crumbs_ends) {
  TlsWorld world;
  world.server_options.handshakes.steps_per_turn = 1000;
  auto client = world.end(tls_client(world.client_context()), "broker.example");
  client->start();
  const std::string hello = client->wire();
  auto server = world.end(tls_server(world.server_context()));
  server->start();
  for (std::size_t i = 5; i < hello.size() && !server->failed; ++i) {
    const std::string crumb = std::string("\x16\x03\x01\x00\x01", 5) + hello[i];
    server->transport->received(crumb);
  }
  ASSERT_TRUE(server->failed);
  EXPECT_CONTAINS(server->failed->text(), "steps_per_handshake");
}

TEST(TlsHandshake, options_that_cannot_be_used_end_the_connection_with_their_fault) {
  TlsWorld world;
  TlsClientOptions options;
  options.trust.authority_file = "/nowhere/ca.pem";
  auto client = world.end(tls_client(options), "broker.example");
  client->start();
  EXPECT_CONTAINS(client->failed->text(),
                  "trust.authority_file /nowhere/ca.pem: No such file or directory");
}

}  // namespace
}  // namespace hawser
