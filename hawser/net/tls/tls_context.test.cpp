// Options: every fault is named, all at once, and nothing secret is ever in the words.
#include <hawser/net/tls/testing/tls_pair.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace hawser {
namespace {

using namespace hawser::testing;

struct TlsContext : ::testing::Test {
  TlsContext() {
    std::string pattern = ::testing::TempDir() + "hawser-tls-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder = pattern;
    options.identities = {certificate.identity()};
  }
  ~TlsContext() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string& name, const std::string& text) {
    const std::string path = folder + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  std::string fault_of(const TlsServerOptions& given) {
    const auto made = TlsServerContext::create(given);
    if (made) return "none";
    EXPECT_EQ(made.error().kind, ErrorKind::invalid_argument);
    return made.error().detail;
  }
  std::string fault_of(const TlsIdentity& identity) {
    TlsServerOptions given;
    given.identities = {identity};
    return fault_of(given);
  }

  TestAuthority authority;
  IssuedCertificate certificate = authority.issue_for("broker.example");
  TlsServerOptions options;
  std::string folder;
};

TEST_F(TlsContext, reads_files_as_well_as_text) {
  TlsIdentity identity;
  identity.certificate_file =
      write("chain.pem", certificate.certificate_pem + authority.certificate_pem());
  identity.private_key_file = write("key.pem", certificate.private_key_pem);
  EXPECT_EQ(fault_of(identity), "none");
}

TEST_F(TlsContext, names_a_missing_file) {
  TlsIdentity identity;
  identity.certificate_file = folder + "/none.pem";
  identity.private_key_file = folder + "/none.key";
  EXPECT_EQ(fault_of(identity),
            "identities[0].certificate_file " + folder +
                "/none.pem: No such file or directory; identities[0].private_key_file " + folder +
                "/none.key: No such file or directory");
}

TEST_F(TlsContext, names_a_key_that_is_not_the_certificates) {
  TlsIdentity identity = certificate.identity();
  identity.certificate_pem.clear();
  identity.certificate_file = write("one.pem", certificate.certificate_pem);
  identity.private_key_pem = authority.issue_for("other").private_key_pem;
  EXPECT_EQ(fault_of(identity), "identities[0].certificate_file " + folder +
                                    "/one.pem and identities[0].private_key_pem do not belong "
                                    "together: the key is another one");
  identity.private_key_pem =
      authority.issue(CertificateOptions{.common_name = "x", .key = KeyKind::rsa_2048})
          .private_key_pem;
  EXPECT_NE(fault_of(identity).find("do not belong together"), std::string::npos);
}

TEST_F(TlsContext, names_what_is_no_pem) {
  TlsIdentity identity = certificate.identity();
  identity.certificate_pem = "hello";
  EXPECT_EQ(fault_of(identity),
            "identities[0].certificate_pem: no certificate in it (-----BEGIN CERTIFICATE-----)");
  identity = certificate.identity();
  identity.private_key_pem = certificate.certificate_pem;
  EXPECT_EQ(fault_of(identity),
            "identities[0].private_key_pem: no private key in it (-----BEGIN PRIVATE KEY-----)");
  identity = certificate.identity();
  identity.certificate_pem += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_NE(fault_of(identity).find("certificate number 2 cannot be read"), std::string::npos);
  identity = certificate.identity();
  identity.certificate_file = folder;
  EXPECT_EQ(fault_of(identity),
            "identities[0].certificate_file and identities[0].certificate_pem are both given");
  identity = certificate.identity();
  identity.private_key_pem.clear();
  EXPECT_EQ(fault_of(identity),
            "identities[0].private_key_file or identities[0].private_key_pem is missing");
}

TEST_F(TlsContext, opens_an_encrypted_key_and_keeps_the_password_to_itself) {
  TlsIdentity identity = certificate.identity();
  identity.private_key_pem = certificate.encrypted_key_pem("swordfish");
  EXPECT_EQ(fault_of(identity),
            "identities[0].private_key_pem: the key is encrypted, and no private_key_password is "
            "given");
  identity.private_key_password = "opensesame";
  EXPECT_EQ(fault_of(identity),
            "identities[0].private_key_pem: the key is encrypted, and private_key_password does "
            "not open it");
  identity.private_key_password = "swordfish";
  EXPECT_EQ(fault_of(identity), "none");
}

TEST_F(TlsContext, Tcp_E_25_E_60_tells_all_faults_at_once) {
  TlsServerOptions bad;
  bad.protocol.minimum = TlsVersion::tls_1_3;
  bad.protocol.maximum = TlsVersion::tls_1_2;
  bad.alpn = {""};
  bad.session_tickets = 17;
  bad.handshakes.steps_per_turn = 0;
  bad.client_certificates = TlsClientCertificates::require;
  const std::string fault = fault_of(bad);
  for (const char* part :
       {"alpn \"\"", "session_tickets", "steps_per_turn", "identities:", "client_trust: needed"}) {
    EXPECT_NE(fault.find(part), std::string::npos) << part << " in " << fault;
  }
  options.protocol.minimum = TlsVersion::tls_1_3;
  options.protocol.maximum = TlsVersion::tls_1_2;
  EXPECT_NE(fault_of(options).find("protocol.minimum is above"), std::string::npos);
}

TEST_F(TlsContext, names_algorithms_nobody_knows) {
  options.protocol.ciphers = "ROT13";
  options.protocol.cipher_suites = "TLS_ROT13";
  options.protocol.groups = "circle";
  const std::string fault = fault_of(options);
  EXPECT_NE(fault.find("protocol.ciphers \"ROT13\": no cipher match"), std::string::npos) << fault;
  EXPECT_NE(fault.find("protocol.cipher_suites \"TLS_ROT13\""), std::string::npos) << fault;
  EXPECT_NE(fault.find("protocol.groups \"circle\""), std::string::npos) << fault;
}

TEST_F(TlsContext, warns_of_certificates_that_are_out_of_date) {
  using namespace std::chrono;
  const sys_days today = 2026y / January / 1;
  const auto warnings = [&](sys_days begins, sys_days ends) {
    options.identities = {
        authority.issue(CertificateOptions{.common_name = "x", .begins = begins, .ends = ends})
            .identity()};
    auto made = TlsServerContext::create(options);
    return made ? made->warnings(today) : std::vector<std::string>{made.error().text()};
  };
  EXPECT_TRUE(warnings(today - days(1), today + days(15)).empty());
  const std::string label = "certificate CN=x (identities[0].certificate_pem) ";
  EXPECT_EQ(warnings(today - days(9), today - days(1)).at(0),
            label + "has expired at 2025-12-31 00:00 UTC");
  EXPECT_EQ(warnings(today - days(9), today + days(9)).at(0),
            label + "expires at 2026-01-10 00:00 UTC");
  EXPECT_EQ(warnings(today + days(1), today + days(90)).at(0),
            label + "is not valid before 2026-01-02 00:00 UTC");
}

TEST_F(TlsContext, a_reload_reads_the_files_anew) {
  TlsWorld world;
  TlsIdentity identity;
  identity.certificate_file = write("cert.pem", world.certificate.certificate_pem);
  identity.private_key_file = write("key.pem", world.certificate.private_key_pem);
  world.server_options.identities = {identity};
  const TlsServerContext server = world.server_context();
  const auto subject = [&] {
    TlsPair pair(world, server, world.client_context());
    EXPECT_TRUE(pair.shake().ready()) << pair.why();
    return pair.client_tls().info().peer_subject;
  };
  EXPECT_EQ(subject(), "CN=broker");
  const auto renewed =
      world.authority.issue({.common_name = "renewed", .names = {"broker.example"}});
  write("cert.pem", renewed.certificate_pem);
  EXPECT_FALSE(server.reload());  // half of it is there
  EXPECT_EQ(subject(), "CN=broker");
  write("key.pem", renewed.private_key_pem);
  EXPECT_TRUE(server.reload());
  EXPECT_EQ(subject(), "CN=renewed");
}

TEST_F(TlsContext, a_client_names_its_faults_too) {
  TlsClientOptions client;
  client.trust.authority_directory = folder + "/none";
  client.identity.certificate_pem = certificate.certificate_pem;
  const auto made = TlsClientContext::create(client);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().detail,
            "trust.authority_directory " + folder +
                "/none: No such file or directory; identity.private_key_file or "
                "identity.private_key_pem is missing");
  EXPECT_TRUE(TlsClientContext::create({}));  // the system's authorities
}

}  // namespace
}  // namespace hawser
