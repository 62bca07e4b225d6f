// PEM in, SSL_CTX and faults out.
#include <hawser/net/tls/detail/credentials.hpp>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

namespace hawser::detail {

namespace {

/// PEM text in a file or in the options, opened for one reading.
class PemText {
 public:
  /// `what` is the option's name without "_file" and "_pem".
  PemText(const std::string& file, const std::string& pem, const std::string& what,
          TlsFaults& faults) {
    if (!file.empty() && !pem.empty()) {
      faults.push_back(fmt::format("{0}_file and {0}_pem are both given", what));
      return;
    }
    if (file.empty() && pem.empty()) {
      faults.push_back(fmt::format("{0}_file or {0}_pem is missing", what));
      return;
    }
    if (file.empty()) {
      source_ = what + "_pem";
      bio_.reset(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
      return;
    }
    source_ = fmt::format("{}_file {}", what, file);
    errno = 0;
    bio_.reset(BIO_new_file(file.c_str(), "r"));
    if (bio_ == nullptr) faults.push_back(fmt::format("{}: {}", source_, std::strerror(errno)));
  }

  explicit operator bool() const noexcept { return bio_ != nullptr; }
  const std::string& source() const noexcept { return source_; }
  BIO* bio() const noexcept { return bio_.get(); }

 private:
  std::string source_;
  OpensslBio bio_;
};

/// Takes the errors away; true when all there was is that the PEM text has ended, or has nothing of
/// the kind in it.
bool at_end_of_pem() {
  const unsigned long code = ERR_peek_last_error();
  const bool ended =
      (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) ||
      (ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER && ERR_GET_REASON(code) == ERR_R_UNSUPPORTED);
  if (ended) ERR_clear_error();
  return ended;
}

std::vector<OpensslCertificate> read_certificates(const PemText& pem, TlsFaults& faults) {
  std::vector<OpensslCertificate> all;
  ERR_clear_error();
  while (X509* each = PEM_read_bio_X509(pem.bio(), nullptr, nullptr, nullptr)) {
    all.emplace_back(each);
  }
  if (!at_end_of_pem()) {
    faults.push_back(fmt::format("{}: certificate number {} cannot be read: {}", pem.source(),
                                 all.size() + 1, take_openssl_error()));
    all.clear();
  } else if (all.empty()) {
    faults.push_back(
        fmt::format("{}: no certificate in it (-----BEGIN CERTIFICATE-----)", pem.source()));
  }
  return all;
}

struct Password {
  const std::string& text;
  bool asked = false;
};

int give_password(char* buffer, int size, int, void* given) {
  auto& password = *static_cast<Password*>(given);
  password.asked = true;
  if (password.text.empty() || password.text.size() > static_cast<std::size_t>(size)) return 0;
  std::memcpy(buffer, password.text.data(), password.text.size());
  return static_cast<int>(password.text.size());
}

OpensslKey read_key(const PemText& pem, const TlsIdentity& identity, TlsFaults& faults) {
  Password password{identity.private_key_password};
  ERR_clear_error();
  OpensslKey key(PEM_read_bio_PrivateKey(pem.bio(), nullptr, give_password, &password));
  if (key != nullptr) return key;
  if (password.asked) {
    faults.push_back(fmt::format("{}: the key is encrypted, and {}", pem.source(),
                                 password.text.empty() ? "no private_key_password is given"
                                                       : "private_key_password does not open it"));
    ERR_clear_error();
  } else if (at_end_of_pem()) {
    faults.push_back(
        fmt::format("{}: no private key in it (-----BEGIN PRIVATE KEY-----)", pem.source()));
  } else {
    faults.push_back(
        fmt::format("{}: the key cannot be read: {}", pem.source(), take_openssl_error()));
  }
  return nullptr;
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm broken_down = {};
  if (ASN1_TIME_to_tm(time, &broken_down) != 1) return {};
  return std::chrono::system_clock::from_time_t(timegm(&broken_down));
}

}  // namespace

std::vector<std::string> load_identity(const TlsIdentity& identity, const std::string& option,
                                       SSL_CTX* context, std::vector<OwnCertificate>& own,
                                       TlsFaults& faults) {
  const PemText certificate_text(identity.certificate_file, identity.certificate_pem,
                                 option + "certificate", faults);
  const PemText key_text(identity.private_key_file, identity.private_key_pem,
                         option + "private_key", faults);
  if (!certificate_text && !key_text) return {};
  std::vector<OpensslCertificate> chain;
  if (certificate_text) chain = read_certificates(certificate_text, faults);
  OpensslKey key;
  if (key_text) key = read_key(key_text, identity, faults);
  if (chain.empty()) return {};

  X509* const leaf = chain.front().get();
  for (const auto& each : chain) {
    own.push_back(
        {fmt::format("certificate {} ({})", subject_of(each.get()), certificate_text.source()),
         time_of(X509_get0_notBefore(each.get())), time_of(X509_get0_notAfter(each.get()))});
  }
  if (key == nullptr) return {};
  ERR_clear_error();
  if (X509_check_private_key(leaf, key.get()) != 1) {
    faults.push_back(fmt::format("{} and {} do not belong together: the key is another one",
                                 certificate_text.source(), key_text.source()));
    ERR_clear_error();
    return {};
  }
  bool taken = SSL_CTX_use_certificate(context, leaf) == 1 &&
               SSL_CTX_use_PrivateKey(context, key.get()) == 1;
  for (std::size_t i = 1; taken && i < chain.size(); ++i) {
    taken = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  }
  if (!taken) {
    faults.push_back(
        fmt::format("{}: not accepted: {}", certificate_text.source(), take_openssl_error()));
    return {};
  }
  if (!identity.server_names.empty()) return identity.server_names;
  std::vector<std::string> names;
  for (const std::string& name : names_of(leaf)) {
    if (name.starts_with("DNS:")) names.push_back(name.substr(4));
  }
  return names;
}

LoadedTrust load_trust(const TlsTrust& trust, const std::string& option, TlsFaults& faults) {
  LoadedTrust loaded{OpensslStore(X509_STORE_new()), OpensslNames(sk_X509_NAME_new_null())};
  ERR_clear_error();
  const auto take_all = [&](const std::string& file, const std::string& pem) {
    const PemText text(file, pem, option + "authority", faults);
    if (!text) return;
    for (const auto& each : read_certificates(text, faults)) {
      // Its extensions are looked at now, on one thread: OpenSSL would do so when it first verifies
      // something, and the threads of all schedulers read what it notes then.
      X509_check_purpose(each.get(), -1, 0);
      X509_STORE_add_cert(loaded.store.get(), each.get());
      X509_NAME* const name = X509_NAME_dup(X509_get_subject_name(each.get()));
      if (name != nullptr && sk_X509_NAME_push(loaded.names.get(), name) == 0) X509_NAME_free(name);
    }
  };
  if (!trust.authority_file.empty()) take_all(trust.authority_file, {});
  if (!trust.authority_pem.empty()) take_all({}, trust.authority_pem);
  if (!trust.authority_directory.empty()) {
    // OpenSSL looks into it only when a certificate is to be verified, and takes any name.
    errno = 0;
    const std::ifstream there(trust.authority_directory);
    if (!there) {
      faults.push_back(fmt::format("{}authority_directory {}: {}", option,
                                   trust.authority_directory, std::strerror(errno)));
    } else if (X509_STORE_load_path(loaded.store.get(), trust.authority_directory.c_str()) != 1) {
      faults.push_back(fmt::format("{}authority_directory {}: {}", option,
                                   trust.authority_directory, take_openssl_error()));
    }
  }
  if (trust.system_authorities && X509_STORE_set_default_paths(loaded.store.get()) != 1) {
    faults.push_back(fmt::format("{}system_authorities: {}", option, take_openssl_error()));
  }
  ERR_clear_error();
  return loaded;
}

}  // namespace hawser::detail
