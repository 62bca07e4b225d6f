// What server and client agree on in their hellos: application protocols (ALPN) and names (SNI).
#include <hawser/net/tls/testing/tls_pair.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace hawser {
namespace {

using namespace hawser::testing;

struct AlpnOutcome {
  std::string server;  ///< the protocol, or why there is none
  std::string client;
};

AlpnOutcome agree(std::vector<std::string> ours, TlsAlpn server_policy,
                  std::vector<std::string> theirs, TlsAlpn client_policy = TlsAlpn::optional) {
  TlsWorld world;
  world.server_options.alpn = std::move(ours);
  world.server_options.alpn_policy = server_policy;
  world.client_options.alpn = std::move(theirs);
  world.client_options.alpn_policy = client_policy;
  TlsPair pair(world);
  pair.shake();
  return {pair.server->failed ? pair.server->failed->text() : pair.server_tls().info().alpn,
          pair.client->failed ? pair.client->failed->text() : pair.client_tls().info().alpn};
}

TEST(TlsAlpn, Tcp_R_10_the_servers_preference_counts) {
  const AlpnOutcome outcome = agree({"b", "a"}, TlsAlpn::strict, {"a", "c", "b"});
  EXPECT_EQ(outcome.server, "b");
  EXPECT_EQ(outcome.client, "b");
  // One name that begins as another is another.
  EXPECT_EQ(agree({"http/1.1"}, TlsAlpn::strict, {"http/1.10", "http/1.1"}).server, "http/1.1");
}

TEST(TlsAlpn, without_overlap_the_policy_decides) {
  const AlpnOutcome strict = agree({"a"}, TlsAlpn::strict, {"b"});
  EXPECT_EQ(strict.server, "failed: TLS handshake: no application protocol in common (ALPN)");
  EXPECT_EQ(strict.client,
            "failed: TLS handshake: the peer refused with alert \"no application protocol\"");
  const AlpnOutcome optional = agree({"a"}, TlsAlpn::optional, {"b"});
  EXPECT_EQ(optional.server, "");
  EXPECT_EQ(optional.client, "");
}

TEST(TlsAlpn, a_client_that_offers_none_is_refused_only_when_one_is_required) {
  EXPECT_EQ(agree({"a"}, TlsAlpn::strict, {}).server, "");
  EXPECT_NE(agree({"a"}, TlsAlpn::required, {}).server.find("alpn_policy is required"),
            std::string::npos);
}

TEST(TlsAlpn, a_client_may_require_one) {
  const AlpnOutcome outcome = agree({}, TlsAlpn::strict, {"a"}, TlsAlpn::required);
  EXPECT_NE(outcome.client.find("alpn_policy is required"), std::string::npos);
}

struct TlsNames : ::testing::Test {
  TlsNames() {
    world.server_options.identities.push_back(world.authority.issue_for("one.example").identity());
    world.server_options.identities.push_back(
        world.authority.issue_for("*.two.example").identity());
    TlsIdentity renamed = world.authority.issue_for("inner.example").identity();
    renamed.server_names = {"Outer.Example"};
    world.server_options.identities.push_back(renamed);
    world.client_options.dangerously_skip_verification = true;
    world.client_options.trust = {};
  }
  /// Who answers a client that asks for `name`.
  std::string who_is(const std::string& name) {
    world.client_options.server_name = name;
    TlsPair pair(world);
    pair.shake();
    if (!pair.ready()) return pair.server->failed->text();
    return pair.client_tls().info().peer_subject;
  }
  TlsWorld world;
};

TEST_F(TlsNames, Tcp_R_09_choose_the_certificate) {
  EXPECT_EQ(who_is("one.example"), "CN=one.example");
  EXPECT_EQ(who_is("ONE.example"), "CN=one.example");
  EXPECT_EQ(who_is("one.example."), "CN=one.example");
  EXPECT_EQ(who_is("a.two.example"), "CN=*.two.example");
  EXPECT_EQ(who_is("outer.example"), "CN=inner.example");
  // A wildcard is one label, and the first certificate is for everybody else.
  EXPECT_EQ(who_is("two.example"), "CN=broker");
  EXPECT_EQ(who_is("a.b.two.example"), "CN=broker");
  EXPECT_EQ(who_is("inner.example"), "CN=broker");
  EXPECT_EQ(who_is("10.9.9.9"), "CN=broker");
}

TEST_F(TlsNames, unknown_ones_can_be_refused) {
  world.server_options.refuse_unknown_names = true;
  EXPECT_EQ(who_is("one.example"), "CN=one.example");
  EXPECT_EQ(who_is("10.9.9.9"), "CN=broker");  // it named none
  EXPECT_EQ(who_is("three.example"),
            "failed: TLS handshake: declined: the client asked for \"three.example\", which is "
            "nobody here");
}

TEST_F(TlsNames, are_shown_to_a_hook_that_may_decline) {
  std::vector<std::string> seen;
  world.server_options.on_hello = [&](const TlsHello& hello) -> Result<void> {
    seen.emplace_back(hello.server_name);
    if (hello.server_name != "one.example") return {};
    return std::unexpected(Error{ErrorKind::refused, 0, "tenant", "moved away"});
  };
  world.client_options.server_name = "one.example";
  TlsPair declined(world);
  declined.shake();
  const Error why{ErrorKind::refused, 0, "tenant", "moved away"};
  EXPECT_EQ(declined.server->failed->text(), "failed: TLS handshake: declined: " + why.text());
  EXPECT_EQ(declined.client->failed->text(),
            "failed: TLS handshake: the peer refused with alert \"access denied\"");
  EXPECT_EQ(who_is("A.two.example"), "CN=*.two.example");
  EXPECT_EQ(seen, (std::vector<std::string>{"one.example", "a.two.example"}));
}

TEST_F(TlsNames, what_a_hook_throws_goes_past_openssl) {
  world.server_options.on_hello = [](const TlsHello&) -> Result<void> {
    throw std::runtime_error("boom");
  };
  auto client = world.end(tls_client(world.client_context()), "one.example");
  client->start();
  auto server = world.end(tls_server(world.server_context()));
  server->start();
  EXPECT_THROW(server->transport->received(client->wire()), std::runtime_error);
  client->transport->received(server->wire());
  EXPECT_NE(client->failed->text().find("alert \"internal error\""), std::string::npos);
}

}  // namespace
}  // namespace hawser
