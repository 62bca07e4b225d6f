// OpenSSL's errors and certificates, as text.
#include <hawser/engine/address.hpp>
#include <hawser/net/tls/detail/openssl.hpp>

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>

namespace hawser::detail {

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown error";
  if (const char* text = ERR_reason_error_string(code)) return text;
  return fmt::format("error {:#x}", code);
}

void clear_openssl_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

std::string subject_of(X509* certificate) {
  const OpensslBio text(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return {bytes, static_cast<std::size_t>(std::max(size, 0L))};
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> all;
  const OpensslGeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const auto text = [](const ASN1_STRING* string) {
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                       static_cast<std::size_t>(ASN1_STRING_length(string)));
  };
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      all.push_back("DNS:" + text(name->d.dNSName));
    } else if (name->type == GEN_EMAIL) {
      all.push_back("email:" + text(name->d.rfc822Name));
    } else if (name->type == GEN_URI) {
      all.push_back("URI:" + text(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_IPADD) {
      const std::string octets = text(name->d.iPAddress);
      if (octets.size() == 4) {
        std::array<std::uint8_t, 4> four{};
        std::ranges::copy(octets, four.begin());
        all.push_back("IP:" + Address::ipv4(four, 0).host());
      } else if (octets.size() == 16) {
        std::array<std::uint8_t, 16> sixteen{};
        std::ranges::copy(octets, sixteen.begin());
        all.push_back("IP:" + Address::ipv6(sixteen, 0).host());
      }
    }
  }
  return all;
}

std::string fingerprint_of(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{}{:02x}", i == 0 ? "" : ":", digest[i]);
  return text;
}

}  // namespace hawser::detail
