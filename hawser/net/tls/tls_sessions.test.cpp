// Resumption in both versions, and what a reload does to it and to connections that are up.
#include <hawser/net/tls/testing/tls_pair.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

namespace hawser {
namespace {

using namespace hawser::testing;

class TlsSessions : public ::testing::TestWithParam<TlsVersion> {
 protected:
  TlsSessions() {
    world.client_options.protocol.minimum = GetParam();
    world.client_options.protocol.maximum = GetParam();
  }
  bool resumes(const TlsServerContext& server, const TlsClientContext& client,
               const std::string& host = "broker.example") {
    TlsPair pair(world, server, client, host);
    EXPECT_TRUE(pair.shake().ready()) << pair.why();
    pair.client->send("x");
    pair.run();
    EXPECT_EQ(pair.server->delivered, "x");
    EXPECT_EQ(pair.client_tls().info().resumed, pair.server_tls().info().resumed);
    EXPECT_TRUE(pair.client_tls().info().peer_verified);
    return pair.client_tls().info().resumed;
  }
  TlsWorld world;
};

INSTANTIATE_TEST_SUITE_P(Versions, TlsSessions,
                         ::testing::Values(TlsVersion::tls_1_2, TlsVersion::tls_1_3));

TEST_P(TlsSessions, the_second_connection_resumes_and_so_do_all_after_it) {
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  EXPECT_FALSE(resumes(server, client));
  EXPECT_TRUE(resumes(server, client));
  EXPECT_TRUE(resumes(server, client));
}

TEST_P(TlsSessions, are_kept_by_server_name) {
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  EXPECT_FALSE(resumes(server, client));
  EXPECT_FALSE(resumes(server, client, "10.0.0.1"));
  EXPECT_TRUE(resumes(server, client));
}

TEST_P(TlsSessions, can_be_switched_off_on_either_side) {
  world.server_options.session_tickets = 0;
  {
    const TlsServerContext server = world.server_context();
    const TlsClientContext client = world.client_context();
    EXPECT_FALSE(resumes(server, client));
    EXPECT_FALSE(resumes(server, client));
  }
  world.server_options.session_tickets = 1;
  world.client_options.resume_sessions = false;
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  EXPECT_FALSE(resumes(server, client));
  EXPECT_FALSE(resumes(server, client));
}

TEST_P(TlsSessions, a_connection_that_was_cut_does_not_spoil_its_session) {
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  {
    TlsPair pair(world, server, client);
    ASSERT_TRUE(pair.shake().ready());
    pair.client->transport->received_end();
    EXPECT_TRUE(pair.client->failed);
  }
  EXPECT_TRUE(resumes(server, client));
}

TEST_P(TlsSessions, one_that_another_server_gave_costs_a_full_handshake_only) {
  const TlsClientContext client = world.client_context();
  EXPECT_FALSE(resumes(world.server_context(), client));
  EXPECT_FALSE(resumes(world.server_context(), client));  // other ticket keys
}

TEST_P(TlsSessions, keep_the_clients_certificate) {
  world.server_options.client_certificates = TlsClientCertificates::require;
  world.server_options.client_trust = world.authority.trust();
  world.client_options.identity = world.authority.issue_for("alice").identity();
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  EXPECT_FALSE(resumes(server, client));
  TlsPair pair(world, server, client);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  EXPECT_TRUE(pair.server_tls().info().resumed);
  EXPECT_EQ(pair.server_tls().info().peer_subject, "CN=alice");
  EXPECT_TRUE(pair.server_tls().info().peer_verified);
}

TEST_P(TlsSessions, Tcp_R_09_a_reload_is_seen_by_new_handshakes_only) {
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  TlsPair up(world, server, client);
  ASSERT_TRUE(up.shake().ready());
  // One in the middle of its handshake: it has answered the client's first flight.
  TlsPair halfway(world, server, client);
  halfway.server->start();
  halfway.client->start();
  halfway.server->transport->received(halfway.client->wire());

  TlsServerOptions renewed = world.server_options;
  renewed.identities = {
      world.authority.issue({.common_name = "renewed", .names = {"broker.example"}}).identity()};
  ASSERT_TRUE(server.replace(renewed));

  halfway.run();
  ASSERT_TRUE(halfway.ready()) << halfway.why();
  up.client->send("still here");
  up.run();
  EXPECT_EQ(up.server->delivered, "still here");
  EXPECT_EQ(up.client_tls().info().peer_subject, "CN=broker");
  EXPECT_NE(halfway.client_tls().info().peer_subject, "CN=renewed");
  TlsPair after(world, server, client);
  ASSERT_TRUE(after.shake().ready()) << after.why();
  EXPECT_EQ(after.client_tls().info().peer_subject, "CN=renewed");
  EXPECT_FALSE(after.client_tls().info().resumed);
  EXPECT_TRUE(resumes(server, client));
}

TEST_P(TlsSessions, a_reload_with_faults_changes_nothing) {
  const TlsServerContext server = world.server_context();
  const TlsClientContext client = world.client_context();
  TlsServerOptions bad = world.server_options;
  bad.identities[0].private_key_pem = "rubbish";
  EXPECT_FALSE(server.replace(bad));
  EXPECT_FALSE(resumes(server, client));
  ASSERT_TRUE(server.reload());  // with the options it had
  EXPECT_FALSE(resumes(server, client));
  EXPECT_TRUE(resumes(server, client));
}

/// A simulated run repeats in its lengths, though not in its ciphertext.
TEST_P(TlsSessions, handshakes_have_constant_lengths_with_ed25519) {
  TlsWorld fixed(1, KeyKind::ed25519);
  fixed.client_options.protocol = world.client_options.protocol;
  std::set<std::pair<std::size_t, std::size_t>> lengths;
  for (int round = 0; round < 60; ++round) {
    TlsPair pair(fixed);
    pair.server->start();
    pair.client->start();
    std::pair<std::size_t, std::size_t> length;
    for (int flight = 0; flight < 4; ++flight) {
      const std::string up = pair.client->wire();
      if (!up.empty()) pair.server->transport->received(up);
      const std::string down = pair.server->wire();
      if (!down.empty()) pair.client->transport->received(down);
      length.first += up.size();
      length.second += down.size();
    }
    ASSERT_TRUE(pair.ready()) << pair.why();
    lengths.insert(length);
  }
  EXPECT_EQ(lengths.size(), 1U);
}

}  // namespace
}  // namespace hawser
