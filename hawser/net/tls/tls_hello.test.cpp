// A handshake that stands still at the client's hello until somebody has decided.
#include <hawser/net/dial.hpp>
#include <hawser/net/testing/rigged_handler.hpp>
#include <hawser/net/tls/testing/tls_pair.hpp>
#include <hawser/net/tls/tls_hello.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser {
namespace {

using testing::Rig;
using testing::Rigged;
using testing::TlsWorld;

class TlsHelloLater : public ::testing::Test {
 protected:
  void start(TlsVersion version = TlsVersion::tls_1_3) {
    const auto other = tls.authority.issue({.common_name = "other", .names = {"other.example"}});
    tls.server_options.identities.push_back(other.identity());
    tls.server_options.protocol.maximum = version;
    tls.server_options.on_hello_later = [this](const TlsHello& hello, TlsHelloAnswer given) {
      names.emplace_back(hello.server_name);
      answer.emplace(std::move(given));
    };
    ServerOptions options;
    options.transports = {tls_server(tls.server_context())};
    options.connection.handshake_timeout = 5s;
    at = tls.world.serve<Rigged>(std::move(options), &served);
    tls.client_options.server_name = "broker.example";
  }
  void connect() {
    static_cast<void>(tls.world.system->run_on(0, [&](Scheduler& scheduler) {
      ConnectionGroup::Parts parts{
          "client", length_prefixed(2), {}, {}, std::make_shared<ConnectionCounters>()};
      parts.transports = {tls_client(tls.client_context())};
      group = std::make_shared<ConnectionGroup>(scheduler, Pid{}, std::move(parts));
      DialOptions to;
      to.address = at;
      EXPECT_TRUE(dial<Rigged>(group, to, {}, [this] { return Rigged(&client); }));
    }));
    ASSERT_TRUE(tls.world.until([&] { return answer.has_value(); }, 3s));
    tls.world.run(2s);
    EXPECT_EQ(served.seen.all.size() + client.seen.all.size(), 0U) << "it stands still";
  }
  void end() {
    answer.reset();
    tls.world.run(20s);
    ASSERT_TRUE(stop_server(*tls.world.system, "it"));
  }

  std::shared_ptr<ConnectionGroup> group;  // these outlive the system
  Rig served;
  Rig client;
  std::vector<std::string> names;
  TlsWorld tls;
  Address at;
  std::optional<TlsHelloAnswer> answer;
};

class TlsHelloLaterIn : public TlsHelloLater, public ::testing::WithParamInterface<TlsVersion> {};

TEST_P(TlsHelloLaterIn, Tcp_R_08_TheHandshakeWaitsForTheAnswerWithTheNameAtHand) {
  start(GetParam());
  connect();
  EXPECT_EQ(names, std::vector<std::string>{"broker.example"});
  answer->go_on();
  ASSERT_TRUE(tls.world.until(
      [&] { return served.seen.count("init") == 1 && client.seen.count("init") == 1; }, 1s));
  EXPECT_EQ(names.size(), 1U);
  end();
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsHelloLaterIn,
                         ::testing::Values(TlsVersion::tls_1_2, TlsVersion::tls_1_3),
                         [](const auto& each) {
                           return each.param == TlsVersion::tls_1_2 ? "tls_1_2" : "tls_1_3";
                         });

TEST_F(TlsHelloLater, Tcp_R_08_TheAnswerMayChooseAnotherCertificate) {
  start();
  tls.client_options.server_name = "other.example";
  std::optional<std::string> subject;
  client.init = [&] {
    subject = connection().transport<TlsTransport>()->info().peer_subject;
    return keep();
  };
  connect();
  EXPECT_EQ(names, std::vector<std::string>{"other.example"});
  answer->go_on_as("Other.Example");
  ASSERT_TRUE(tls.world.until([&] { return subject.has_value(); }, 1s));
  EXPECT_EQ(*subject, "CN=other");
  end();
}

TEST_F(TlsHelloLater, Tcp_R_08_ACertificateOfAnotherNameIsWhatTheClientGets) {
  start();
  connect();
  answer->go_on_as("other.example");
  tls.world.run(1s);
  EXPECT_EQ(client.seen.all.size(), 0U) << "it verifies, and wanted broker.example";
  EXPECT_EQ(served.seen.all.size(), 0U);
  end();
}

TEST_F(TlsHelloLater, Tcp_R_08_ADeclinedClientIsToldAndTheReasonKept) {
  start();
  connect();
  answer->decline("no such tenant");
  tls.world.run(1s);
  EXPECT_EQ(tls.world.lines_with("declined: no such tenant"), 1U) << tls.world.all_lines();
  EXPECT_EQ(served.seen.all.size() + client.seen.all.size(), 0U);
  end();
}

TEST_F(TlsHelloLater, Tcp_R_08_AnAnswerThatIsForgottenDeclines) {
  start();
  connect();
  answer.reset();
  tls.world.run(1s);
  EXPECT_EQ(tls.world.lines_with("nobody answered the client's hello"), 1U);
  end();
}

TEST_F(TlsHelloLater, Tcp_R_08_TheDeadlineHoldsAndALateAnswerDoesNothing) {
  start();
  connect();
  tls.world.run(4s);
  EXPECT_EQ(tls.world.lines_with("handshake_timeout"), 1U) << tls.world.all_lines();
  answer->go_on();
  tls.world.run(1s);
  EXPECT_EQ(served.seen.all.size(), 0U);
  end();
}

}  // namespace
}  // namespace hawser
