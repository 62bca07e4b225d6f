// Owners for OpenSSL's objects, and its errors in words. Internal to the TLS transport; any thread
// (OpenSSL's queue of errors is per thread).
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser::detail {

template <auto Release>
struct OpensslDeleter {
  template <class T>
  void operator()(T* object) const noexcept {
    static_cast<void>(Release(object));
  }
};
template <class T, auto Release>
using Openssl = std::unique_ptr<T, OpensslDeleter<Release>>;

inline void free_general_names(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
inline void free_x509_names(STACK_OF(X509_NAME) * names) {
  sk_X509_NAME_pop_free(names, X509_NAME_free);
}

using OpensslBio = Openssl<BIO, BIO_free>;
using OpensslBioMethod = Openssl<BIO_METHOD, BIO_meth_free>;
using OpensslKey = Openssl<EVP_PKEY, EVP_PKEY_free>;
using OpensslKeyContext = Openssl<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using OpensslCertificate = Openssl<X509, X509_free>;
using OpensslExtension = Openssl<X509_EXTENSION, X509_EXTENSION_free>;
using OpensslStore = Openssl<X509_STORE, X509_STORE_free>;
using OpensslContext = Openssl<SSL_CTX, SSL_CTX_free>;
using OpensslSession = Openssl<SSL_SESSION, SSL_SESSION_free>;
using OpensslGeneralNames = Openssl<GENERAL_NAMES, free_general_names>;
using OpensslNames = Openssl<STACK_OF(X509_NAME), free_x509_names>;

/// OpenSSL's words for the oldest error of this thread, and takes all of them away. "unknown error"
/// when there is none.
std::string take_openssl_error();
/// Takes them away; cheap when there are none.
void clear_openssl_errors() noexcept;

/// "CN=alice,O=Example".
std::string subject_of(X509* certificate);
/// "DNS:a.example", "IP:10.0.0.1", "URI:…", "email:…".
std::vector<std::string> names_of(X509* certificate);
/// SHA-256, "ab:cd:…".
std::string fingerprint_of(X509* certificate);

}  // namespace hawser::detail
