// A throw-away certificate authority and certificates, made in memory: for tests and examples,
// never for a server that somebody shall trust. Any thread.
#pragma once

#include <hawser/net/tls/tls_options.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hawser::testing {

enum class KeyKind : unsigned char {
  ec_p256,
  ed25519,  ///< its signatures are all of one length: a simulated run repeats to the byte count
  rsa_2048,
};

struct CertificateOptions {
  std::string common_name{};
  /// Subject alternative names: host names, "*.example.com", IP addresses.
  std::vector<std::string> names{};
  /// Valid in the simulator's time as in the real one, unless a test wants otherwise.
  std::chrono::system_clock::time_point begins = std::chrono::sys_days(std::chrono::year_month_day(
      std::chrono::year(2020), std::chrono::January, std::chrono::day(1)));
  std::chrono::system_clock::time_point ends = std::chrono::sys_days(std::chrono::year_month_day(
      std::chrono::year(2090), std::chrono::January, std::chrono::day(1)));
  KeyKind key = KeyKind::ec_p256;
};

struct IssuedCertificate {
  std::string certificate_pem;
  std::string private_key_pem;

  TlsIdentity identity() const {
    TlsIdentity made;
    made.certificate_pem = certificate_pem;
    made.private_key_pem = private_key_pem;
    return made;
  }
  /// The key, encrypted with `password` (PKCS#8, AES-256).
  std::string encrypted_key_pem(const std::string& password) const;
};

/// Signs what it is asked to. Throws std::runtime_error when OpenSSL fails.
class TestAuthority {
 public:
  explicit TestAuthority(CertificateOptions options = {.common_name = "hawser test authority"});
  ~TestAuthority();

  const std::string& certificate_pem() const noexcept { return certificate_pem_; }
  TlsTrust trust() const {
    TlsTrust made;
    made.authority_pem = certificate_pem_;
    return made;
  }
  /// For servers and clients alike.
  IssuedCertificate issue(const CertificateOptions& options);
  /// One for a server of this name.
  IssuedCertificate issue_for(const std::string& name) {
    return issue(CertificateOptions{.common_name = name, .names = {name}});
  }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string certificate_pem_;
};

}  // namespace hawser::testing
