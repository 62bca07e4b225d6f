// X.509 by OpenSSL's own calls.
#include <hawser/net/tls/detail/openssl.hpp>
#include <hawser/net/tls/testing/certificates.hpp>

#include <openssl/pem.h>

#include <stdexcept>
#include <utility>

namespace hawser::testing {

namespace {

using namespace hawser::detail;

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string(what) + ": " + take_openssl_error());
}

OpensslKey make_key(KeyKind kind) {
  OpensslKey key;
  switch (kind) {
    case KeyKind::ec_p256:
      key.reset(EVP_EC_gen("P-256"));
      break;
    case KeyKind::ed25519:
      key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
      break;
    case KeyKind::rsa_2048:
      key.reset(EVP_RSA_gen(2048U));
      break;
  }
  must(key != nullptr, "make a key");
  return key;
}

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const OpensslBio bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(bio.get(), certificate) == 1, "write a certificate");
  return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key, const std::string* password) {
  const OpensslBio bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_PKCS8PrivateKey(
           bio.get(), key, password == nullptr ? nullptr : EVP_aes_256_cbc(),
           password == nullptr ? nullptr : password->data(),
           password == nullptr ? 0 : static_cast<int>(password->size()), nullptr, nullptr) == 1,
       "write a key");
  return text_of(bio.get());
}

void set_time(ASN1_TIME* field, std::chrono::system_clock::time_point time) {
  must(ASN1_TIME_set(field, std::chrono::system_clock::to_time_t(time)) != nullptr, "set a time");
}

bool is_address(const std::string& name) {
  return name.find(':') != std::string::npos ||
         name.find_first_not_of("0123456789.") == std::string::npos;
}

struct Signer {
  X509* certificate;
  EVP_PKEY* key;
};

/// Without a signer it signs itself, and is an authority.
OpensslCertificate make_certificate(const CertificateOptions& options, EVP_PKEY* key, long serial,
                                    const Signer* signer) {
  OpensslCertificate made(X509_new());
  must(made != nullptr, "make a certificate");
  X509* const certificate = made.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  set_time(X509_getm_notBefore(certificate), options.begins);
  set_time(X509_getm_notAfter(certificate), options.ends);
  X509_set_pubkey(certificate, key);
  const auto* name = reinterpret_cast<const unsigned char*>(options.common_name.data());
  X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                             name, static_cast<int>(options.common_name.size()), -1, 0);
  X509_set_issuer_name(
      certificate, X509_get_subject_name(signer == nullptr ? certificate : signer->certificate));
  X509V3_CTX context;
  X509V3_set_ctx(&context, signer == nullptr ? certificate : signer->certificate, certificate,
                 nullptr, nullptr, 0);
  const auto extend = [&](int which, const std::string& value) {
    const OpensslExtension extension(X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str()));
    must(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, "extend");
  };
  extend(NID_basic_constraints, signer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
  extend(NID_subject_key_identifier, "hash");
  if (signer == nullptr) {
    extend(NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    extend(NID_authority_key_identifier, "keyid");
    extend(NID_ext_key_usage, "serverAuth,clientAuth");
  }
  std::string names;
  for (const std::string& each : options.names) {
    names += (names.empty() ? "" : ",") + std::string(is_address(each) ? "IP:" : "DNS:") + each;
  }
  if (!names.empty()) extend(NID_subject_alt_name, names);
  EVP_PKEY* const signing = signer == nullptr ? key : signer->key;
  const bool with_digest = EVP_PKEY_get_base_id(signing) != EVP_PKEY_ED25519;
  must(X509_sign(certificate, signing, with_digest ? EVP_sha256() : nullptr) != 0, "sign");
  return made;
}

}  // namespace

struct TestAuthority::Parts {
  OpensslKey key;
  OpensslCertificate certificate;
  long serial = 1;
};

TestAuthority::TestAuthority(CertificateOptions options) : parts_(std::make_unique<Parts>()) {
  parts_->key = make_key(options.key);
  parts_->certificate = make_certificate(options, parts_->key.get(), 1, nullptr);
  certificate_pem_ = pem_of(parts_->certificate.get());
}

TestAuthority::~TestAuthority() = default;

IssuedCertificate TestAuthority::issue(const CertificateOptions& options) {
  const OpensslKey key = make_key(options.key);
  const Signer signer{parts_->certificate.get(), parts_->key.get()};
  const OpensslCertificate made = make_certificate(options, key.get(), ++parts_->serial, &signer);
  return {pem_of(made.get()), pem_of(key.get(), nullptr)};
}

std::string IssuedCertificate::encrypted_key_pem(const std::string& password) const {
  const OpensslBio bio(
      BIO_new_mem_buf(private_key_pem.data(), static_cast<int>(private_key_pem.size())));
  const OpensslKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  must(key != nullptr, "read a key");
  return pem_of(key.get(), &password);
}

}  // namespace hawser::testing
