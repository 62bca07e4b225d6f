// Options into SSL_CTX objects, and what OpenSSL asks back during a handshake.
#include <hawser/base/faults.hpp>
#include <hawser/base/log.hpp>
#include <hawser/net/tls/detail/generation.hpp>
#include <hawser/net/tls/detail/tls_side.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace hawser::detail {

namespace {

int number_of(TlsVersion version) {
  return version == TlsVersion::tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

/// As names are compared: lower case, without the root's dot.
std::string canonical(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char each) { return static_cast<char>(std::tolower(each)); });
  return lower;
}

Error as_error(const TlsFaults& faults) { return faulty("tls", faults); }

void check_limits(const HandshakeLimits& limits, TlsFaults& faults) {
  if (limits.steps_per_turn == 0) faults.emplace_back("handshakes.steps_per_turn: at least 1");
  if (limits.steps_per_handshake < 16) {
    faults.emplace_back("handshakes.steps_per_handshake: at least 16");
  }
}

std::string day(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(time));
}

}  // namespace

void TlsGeneration::set_up(SSL_CTX* context, const TlsProtocol& protocol, TlsFaults& faults) {
  const auto must = [&](bool done, const std::string& what) {
    if (!done) faults.push_back(fmt::format("{}: {}", what, take_openssl_error()));
  };
  if (protocol.minimum > protocol.maximum) {
    faults.emplace_back("protocol.minimum is above protocol.maximum");
  }
  must(SSL_CTX_set_min_proto_version(context, number_of(protocol.minimum)) == 1,
       "protocol.minimum");
  must(SSL_CTX_set_max_proto_version(context, number_of(protocol.maximum)) == 1,
       "protocol.maximum");
  if (!protocol.ciphers.empty()) {
    must(SSL_CTX_set_cipher_list(context, protocol.ciphers.c_str()) == 1,
         fmt::format("protocol.ciphers \"{}\"", protocol.ciphers));
  }
  if (!protocol.cipher_suites.empty()) {
    must(SSL_CTX_set_ciphersuites(context, protocol.cipher_suites.c_str()) == 1,
         fmt::format("protocol.cipher_suites \"{}\"", protocol.cipher_suites));
  }
  if (!protocol.groups.empty()) {
    must(SSL_CTX_set1_groups_list(context, protocol.groups.c_str()) == 1,
         fmt::format("protocol.groups \"{}\"", protocol.groups));
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection gives the two 17 KiB record buffers back.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_recv_max_early_data(context, 0);
}

void TlsGeneration::set_alpn(const std::vector<std::string>& protocols, TlsFaults& faults) {
  for (const std::string& each : protocols) {
    if (each.empty() || each.size() > 255) {
      faults.push_back(fmt::format("alpn \"{}\": a name has 1 to 255 bytes", each));
      continue;
    }
    alpn_ += static_cast<char>(each.size());
    alpn_ += each;
  }
  if (alpn_policy_ == TlsAlpn::required && protocols.empty()) {
    faults.emplace_back("alpn_policy is required, and alpn names no protocol");
  }
}

OpensslContext TlsGeneration::server_context(const TlsServerOptions& options, X509_STORE* trust,
                                             const STACK_OF(X509_NAME) * authorities,
                                             TlsFaults& faults) {
  OpensslContext context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) {
    faults.push_back("OpenSSL: " + take_openssl_error());
    return nullptr;
  }
  set_up(context.get(), options.protocol, faults);
  SSL_CTX_set_tlsext_servername_callback(context.get(), choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(context.get(), this);
  if (on_hello_later_) SSL_CTX_set_client_hello_cb(context.get(), pause_at_hello, this);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context.get(), choose_alpn, this);

  // Stateless: the session lies with the client, sealed with a key that only this context has.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  static constexpr unsigned char id[] = "hawser";
  SSL_CTX_set_session_id_context(context.get(), id, sizeof id - 1);
  SSL_CTX_set_num_tickets(context.get(), options.session_tickets);
  if (options.session_tickets == 0) SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_timeout(
      context.get(),
      std::chrono::duration_cast<std::chrono::seconds>(options.session_lifetime).count());

  if (trust != nullptr) {
    SSL_CTX_set1_cert_store(context.get(), trust);
    SSL_CTX_set_client_CA_list(context.get(), SSL_dup_CA_list(authorities));
    SSL_CTX_set_verify(context.get(),
                       options.client_certificates == TlsClientCertificates::require
                           ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                           : SSL_VERIFY_PEER,
                       note_verification);
  }
  return context;
}

Result<std::shared_ptr<const TlsGeneration>> TlsGeneration::make(const TlsServerOptions& options) {
  TlsFaults faults;
  ERR_clear_error();
  // allocation: make_shared cannot reach the private constructor
  const std::shared_ptr<TlsGeneration> made(new TlsGeneration);
  made->server_ = true;
  made->tolerates_truncation_ = options.tolerate_truncation;
  made->refuses_unknown_names_ = options.refuse_unknown_names;
  made->alpn_policy_ = options.alpn_policy;
  made->handshake_bytes_limit_ = options.handshake_bytes_limit;
  made->on_hello_ = options.on_hello;
  made->on_hello_later_ = options.on_hello_later;
  made->bio_method_.reset(make_bio_method());
  made->set_alpn(options.alpn, faults);
  if (options.session_tickets > 16) faults.emplace_back("session_tickets: at most 16");
  if (options.session_lifetime < 1s || options.session_lifetime > 7 * 24h) {
    faults.emplace_back("session_lifetime: 1 second to 7 days");
  }
  check_limits(options.handshakes, faults);
  if (options.identities.empty()) {
    faults.emplace_back("identities: a server needs a certificate");
  }
  LoadedTrust trust;
  if (options.client_certificates != TlsClientCertificates::none) {
    if (options.client_trust.empty()) {
      faults.emplace_back(
          "client_trust: needed to verify the certificates that client_certificates asks for");
    }
    trust = load_trust(options.client_trust, "client_trust.", faults);
  } else if (!options.client_trust.empty()) {
    faults.emplace_back("client_trust: given, but client_certificates is none");
  }
  for (std::size_t i = 0; i < options.identities.size(); ++i) {
    // What is wrong for all is told once.
    TlsFaults again;
    auto context = made->server_context(options, trust.store.get(), trust.names.get(),
                                        i == 0 ? faults : again);
    if (context == nullptr) break;
    for (const std::string& name :
         load_identity(options.identities[i], fmt::format("identities[{}].", i), context.get(),
                       made->own_, faults)) {
      made->names_.emplace(canonical(name), i);  // the first that has a name keeps it
    }
    made->contexts_.push_back(std::move(context));
  }
  if (!faults.empty()) return std::unexpected(as_error(faults));
  return made;
}

void TlsGeneration::set_up_verification(const TlsClientOptions& options, SSL_CTX* context,
                                        TlsFaults& faults) {
  if (options.dangerously_skip_verification) {
    skips_verification_ = true;
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    if (!options.trust.empty()) {
      faults.emplace_back("trust: given, but dangerously_skip_verification is on");
    }
    return;
  }
  TlsTrust wanted = options.trust;
  if (wanted.empty()) wanted.system_authorities = true;
  const LoadedTrust trust = load_trust(wanted, "trust.", faults);
  SSL_CTX_set1_cert_store(context, trust.store.get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verification);
}

Result<std::shared_ptr<const TlsGeneration>> TlsGeneration::make(const TlsClientOptions& options) {
  TlsFaults faults;
  ERR_clear_error();
  // allocation: make_shared cannot reach the private constructor
  const std::shared_ptr<TlsGeneration> made(new TlsGeneration);
  made->tolerates_truncation_ = options.tolerate_truncation;
  made->alpn_policy_ = options.alpn_policy;
  made->handshake_bytes_limit_ = options.handshake_bytes_limit;
  made->server_name_ = options.server_name;
  made->bio_method_.reset(make_bio_method());
  made->set_alpn(options.alpn, faults);
  check_limits(options.handshakes, faults);
  OpensslContext context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) {
    faults.push_back("OpenSSL: " + take_openssl_error());
    return std::unexpected(as_error(faults));
  }
  made->set_up(context.get(), options.protocol, faults);
  made->set_up_verification(options, context.get(), faults);
  const TlsIdentity& identity = options.identity;
  if (!identity.certificate_file.empty() || !identity.certificate_pem.empty() ||
      !identity.private_key_file.empty() || !identity.private_key_pem.empty()) {
    load_identity(identity, "identity.", context.get(), made->own_, faults);
  }
  if (!made->alpn_.empty()) {
    SSL_CTX_set_alpn_protos(context.get(),
                            reinterpret_cast<const unsigned char*>(made->alpn_.data()),
                            static_cast<unsigned>(made->alpn_.size()));
  }
  if (options.resume_sessions && options.sessions_kept > 0) {
    made->sessions_ = std::make_unique<SessionCache>(options.sessions_kept);
    SSL_CTX_set_session_cache_mode(context.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context.get(), keep_session);
  } else {
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  }
  made->contexts_.push_back(std::move(context));
  if (!faults.empty()) return std::unexpected(as_error(faults));
  return made;
}

// ---- asked by OpenSSL in the middle of a handshake; nothing may be thrown through it
// --------------

SSL_CTX* TlsGeneration::context_for(const std::string& name) const {
  auto found = names_.find(name);
  if (found == names_.end()) {
    const std::size_t dot = name.find('.');
    if (dot != std::string::npos) found = names_.find("*" + name.substr(dot));
  }
  return found == names_.end() ? nullptr : contexts_[found->second].get();
}

namespace {
/// The one host name of a server_name extension (RFC 6066, section 3); "" when there is none. What
/// is malformed OpenSSL itself refuses a little later.
std::string_view name_in_hello(SSL* ssl) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) != 1) return {};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t heads = 5;  // length of the list, kind of the name, length of the name
  if (bytes.size() < heads || bytes[2] != TLSEXT_NAMETYPE_host_name) return {};
  const std::size_t length = static_cast<std::size_t>(data[3]) << 8U | data[4];
  return length <= bytes.size() - heads ? bytes.substr(heads, length) : std::string_view{};
}
}  // namespace

int TlsGeneration::pause_at_hello(SSL* ssl, int* alert, void*) {
  TlsSide& side = side_of(ssl);
  try {
    switch (side.hello) {
      case TlsSide::Hello::not_seen:
        side.hello = TlsSide::Hello::paused;
        side.hello_name = canonical(std::string(name_in_hello(ssl)));
        return SSL_CLIENT_HELLO_RETRY;
      case TlsSide::Hello::paused:
        return SSL_CLIENT_HELLO_RETRY;
      case TlsSide::Hello::answered:
        if (side.declined.empty()) return SSL_CLIENT_HELLO_SUCCESS;
        *alert = SSL_AD_ACCESS_DENIED;
        return SSL_CLIENT_HELLO_ERROR;
    }
  } catch (...) {
    side.thrown = std::current_exception();
  }
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;
}

int TlsGeneration::choose_certificate(SSL* ssl, int* alert, void* generation) {
  const auto& own = *static_cast<const TlsGeneration*>(generation);
  TlsSide& side = side_of(ssl);
  try {
    const char* const given = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    std::string name = given == nullptr ? std::string() : canonical(given);
    if (side.hello == TlsSide::Hello::answered) name = canonical(side.hello_name);
    SSL_CTX* const context = name.empty() ? nullptr : own.context_for(name);
    if (context == nullptr && !name.empty() && own.refuses_unknown_names_) {
      side.declined =
          fmt::format("declined: the client asked for \"{}\", which is nobody here", name);
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (own.on_hello_) {
      const TlsHello hello{name, side.link->peer()};
      if (const auto accepted = own.on_hello_(hello); !accepted) {
        side.declined = "declined: " + accepted.error().text();
        *alert = SSL_AD_ACCESS_DENIED;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
      }
    }
    if (context != nullptr && context != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, context);
    // Without a certificate of that name there is nothing to acknowledge.
    return context == nullptr ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
  } catch (...) {
    side.thrown = std::current_exception();  // it goes on where OpenSSL has returned
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
}

int TlsGeneration::choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                               const unsigned char* in, unsigned in_size, void* generation) {
  const auto& own = *static_cast<const TlsGeneration*>(generation);
  const BytesView offered(reinterpret_cast<const char*>(in), in_size);
  for (std::size_t at = 0; at < own.alpn_.size();) {
    const std::size_t size = 1 + static_cast<unsigned char>(own.alpn_[at]);
    const BytesView ours = BytesView(own.alpn_).substr(at, size);
    for (std::size_t theirs = 0; theirs < offered.size();
         theirs += 1 + static_cast<unsigned char>(offered[theirs])) {
      if (offered.substr(theirs, size) != ours) continue;
      *out = in + theirs + 1;
      *out_size = static_cast<unsigned char>(size - 1);
      return SSL_TLSEXT_ERR_OK;
    }
    at += size;
  }
  return own.alpn_policy_ == TlsAlpn::optional ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// Only notes what is wrong, while the certificate in question is at hand.
int TlsGeneration::note_verification(int good, X509_STORE_CTX* verification) {
  if (good == 1) return good;
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsSide& side = side_of(ssl);
  try {
    const int error = X509_STORE_CTX_get_error(verification);
    side.declined = fmt::format("the peer's certificate is not accepted: {}",
                                X509_verify_cert_error_string(error));
    X509* const certificate = X509_STORE_CTX_get_current_cert(verification);
    if (certificate == nullptr) return good;
    side.declined += fmt::format(" ({})", subject_of(certificate));
    if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      side.declined += fmt::format("; wanted is \"{}\", it is for {}", side.peer_name,
                                   fmt::join(names_of(certificate), ", "));
    }
  } catch (...) {
    side.thrown = std::current_exception();
  }
  return good;
}

int TlsGeneration::keep_session(SSL* ssl, SSL_SESSION* session) {
  const TlsSide& side = side_of(ssl);
  if (side.generation->sessions() == nullptr) return 0;
  side.generation->sessions()->put(side.peer_name, OpensslSession(session));
  return 1;  // it is ours now
}

// ---- warnings -----------------------------------------------------------------------------------

std::vector<std::string> TlsGeneration::warnings(std::chrono::system_clock::time_point now) const {
  std::vector<std::string> all;
  for (const OwnCertificate& each : own_) {
    if (now > each.ends) {
      all.push_back(fmt::format("{} has expired at {}", each.label, day(each.ends)));
    } else if (now < each.begins) {
      all.push_back(fmt::format("{} is not valid before {}", each.label, day(each.begins)));
    } else if (each.ends - now < 14 * 24h) {
      all.push_back(fmt::format("{} expires at {}", each.label, day(each.ends)));
    }
  }
  if (skips_verification_) {
    all.emplace_back(
        "dangerously_skip_verification is on: servers are not verified, anybody can be one");
  }
  return all;
}

void TlsGeneration::warn_once(Log& log, std::chrono::system_clock::time_point now) const {
  if (warned_.test_and_set(std::memory_order_relaxed)) return;
  for (const std::string& line : warnings(now)) log.warning("tls", line);
}

}  // namespace hawser::detail
