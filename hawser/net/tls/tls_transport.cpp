// The transport: when OpenSSL is called, on which bytes, and what its answers mean.
//
// Before the handshake is through, OpenSSL sees whole records only, each time the budget allows: so
// a client that sends byte by byte costs no step a byte, and one that waits for its turn holds
// nothing but its bytes. Afterwards every byte goes straight in, and while there is a hold none
// does.
#include <hawser/base/check.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/net/tls/detail/context_state.hpp>
#include <hawser/net/tls/detail/generation.hpp>
#include <hawser/net/tls/detail/openssl.hpp>
#include <hawser/net/tls/detail/tls_reasons.hpp>
#include <hawser/net/tls/tls_hello.hpp>
#include <hawser/net/tls/tls_transport.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hawser {

namespace {

constexpr std::size_t longest_plain = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr std::size_t record_header = SSL3_RT_HEADER_LENGTH;

/// How much of `bytes` OpenSSL may see during a handshake: the whole records in front; or all, when
/// these are no records and OpenSSL shall say so.
std::size_t whole_records(BytesView bytes) {
  std::size_t at = 0;
  while (bytes.size() - at >= record_header) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
    const std::size_t length = static_cast<std::size_t>(octet(3)) << 8U | octet(4);
    const bool record = octet(0) >= SSL3_RT_CHANGE_CIPHER_SPEC &&
                        octet(0) <= SSL3_RT_APPLICATION_DATA && octet(1) == SSL3_VERSION_MAJOR &&
                        length <= SSL3_RT_MAX_ENCRYPTED_LENGTH;
    if (!record) return bytes.size();
    if (bytes.size() - at < record_header + length) break;
    at += record_header + length;
  }
  return at;
}

/// "TLSv1.3" → "TLS 1.3".
std::string version_of(const SSL* ssl) {
  std::string_view text = SSL_get_version(ssl);
  if (text.starts_with("TLSv")) text.remove_prefix(4);
  return fmt::format("TLS {}", text);
}

std::string alpn_of(const SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace

void TlsTransport::SslRelease::operator()(ssl_st* ssl) const noexcept {
  // A session outlives a connection that was cut: since TLS 1.1 that is no reason to distrust it.
  // (After a fatal alert OpenSSL has made it unusable already.)
  SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl);
}

TlsTransport::TlsTransport(std::shared_ptr<detail::TlsContextState> context) noexcept
    : context_(std::move(context)) {}
TlsTransport::~TlsTransport() {
  if (pause_ != nullptr) pause_->transport = nullptr;
}

// ---- what comes in ------------------------------------------------------------------------------

void TlsTransport::start(Link& link) {
  side_.link = &link;
  budget_ = context_->budget(link.scheduler());
  // The server's generation is taken with the first step, not here: a connection that was opened
  // long before it speaks shall see what was reloaded meanwhile.
  if (context_->generation()->is_server()) return;
  if (budget_->take(link.scheduler(), *this, false)) work({});
}

void TlsTransport::received(BytesView bytes) {
  if (phase_ == Phase::over || phase_ == Phase::peer_done) return;
  check(!working_, "TlsTransport: received() within its own delivery");
  if (!kept_.empty()) {
    keep(bytes);
    if (phase_ != Phase::over && may_work(BytesView(kept_).substr(kept_at_))) work_on_kept();
  } else if (may_work(bytes)) {
    work(bytes);
    if (phase_ != Phase::over && !side_.input.empty()) keep(side_.input);
    side_.input = {};
  } else {
    keep(bytes);
  }
}

bool TlsTransport::may_work(BytesView bytes) {
  if (phase_ == Phase::open) return !side_.link->holding();
  if (phase_ != Phase::handshake || waiting() || paused() || whole_records(bytes) == 0)
    return false;
  return budget_->take(side_.link->scheduler(), *this, ssl_ != nullptr);
}

/// Afterwards side_.input is what was not used; it lies at the end of `bytes`.
void TlsTransport::work(BytesView bytes) {
  working_ = true;
  detail::clear_openssl_errors();
  if (phase_ == Phase::handshake) {
    const std::size_t whole = whole_records(bytes);
    side_.input = bytes.substr(0, whole);
    make_step();
    const std::size_t used = whole - side_.input.size();
    side_.input = bytes.substr(phase_ == Phase::over ? bytes.size() : used);
  } else {
    side_.input = bytes;
  }
  if (phase_ == Phase::open) read();
  working_ = false;
}

void TlsTransport::work_on_kept() {
  std::string bytes = std::exchange(kept_, {});
  const std::size_t at = std::exchange(kept_at_, 0);
  work(BytesView(bytes).substr(at));
  if (phase_ != Phase::over && !side_.input.empty()) {
    kept_at_ = bytes.size() - side_.input.size();
    kept_ = std::move(bytes);
  }
  side_.input = {};
}

void TlsTransport::keep(BytesView bytes) {
  kept_.append(bytes);
  if (phase_ != Phase::handshake) return;
  const std::size_t limit = context_->generation()->handshake_bytes_limit();
  if (kept_.size() - kept_at_ <= limit) return;
  fail(Reason::protocol_error(
      fmt::format("TLS handshake: more than {} bytes of it (handshake_bytes_limit)", limit)));
}

void TlsTransport::granted() {
  side_.link->run("TLS handshake", [this] {
    if (phase_ == Phase::handshake) work_on_kept();
    const bool more = phase_ == Phase::open && kept() != 0;
    if (peer_ended_ && !more && phase_ != Phase::over && phase_ != Phase::peer_done) {
      end_without_notify();
    }
  });
}

void TlsTransport::refused() {
  side_.link->run("TLS handshake", [this] {
    fail(Reason::overloaded("TLS: too many handshakes wait for their turn (handshakes.waiting)"));
  });
}

void TlsTransport::resume() {
  if (working_ || phase_ != Phase::open) return;  // read() looks again by itself
  if (kept() != 0 && may_work({})) work_on_kept();
  if (peer_ended_ && phase_ == Phase::open && kept() == 0 && !side_.link->stopping()) {
    end_without_notify();
  }
}

void TlsTransport::received_end() {
  if (phase_ == Phase::over || phase_ == Phase::peer_done) return;
  peer_ended_ = true;
  // What a hold or the budget keeps back comes first.
  if ((phase_ == Phase::open && kept() != 0) || waiting()) return;
  end_without_notify();
}

void TlsTransport::end_without_notify() {
  if (phase_ == Phase::handshake) {
    fail({Reason::Kind::closed, "TLS: the peer closed the connection during the handshake"});
  } else if (SSL_has_pending(ssl_.get()) != 0) {
    fail(Reason::protocol_error("TLS: the connection was cut within a record (truncated)"));
  } else if (!side_.generation->tolerates_truncation()) {
    fail(Reason::protocol_error(
        "TLS: the connection was cut: it ended without close_notify (truncated)"));
  } else {
    phase_ = Phase::peer_done;
    side_.link->deliver_end();
  }
}

// ---- handshake ----------------------------------------------------------------------------------

bool TlsTransport::begin() {
  side_.generation = context_->generation();
  const detail::TlsGeneration& generation = *side_.generation;
  Scheduler& scheduler = side_.link->scheduler();
  const auto wall_clock = scheduler.engine().wall_clock();
  generation.warn_once(scheduler.log(), wall_clock);

  ssl_.reset(SSL_new(generation.context()));
  BIO* const bio = ssl_ == nullptr ? nullptr : detail::make_bio(generation.bio_method(), side_);
  if (bio == nullptr) {
    fail(Reason::failed("TLS: no memory for a connection"));
    return false;
  }
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), &side_);
  // OpenSSL would look at a clock of its own.
  X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl_.get()),
                             std::chrono::system_clock::to_time_t(wall_clock));
  if (!generation.is_server()) return begin_client();
  SSL_set_accept_state(ssl_.get());
  return true;
}

bool TlsTransport::begin_client() {
  const detail::TlsGeneration& generation = *side_.generation;
  SSL* const ssl = ssl_.get();
  SSL_set_connect_state(ssl);
  std::string name(generation.server_name().empty() ? side_.link->host()
                                                    : std::string_view(generation.server_name()));
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  if (name.ends_with('.')) name.pop_back();
  X509_VERIFY_PARAM* const verification = SSL_get0_param(ssl);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(verification, name.c_str()) == 1;
  detail::clear_openssl_errors();
  bool set = true;
  if (!is_address && !name.empty()) {
    set = SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
    // Names stand in the alternative names (RFC 9525), not in the subject.
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (!generation.skips_verification()) set = SSL_set1_host(ssl, name.c_str()) == 1 && set;
  }
  if (!set) {
    detail::clear_openssl_errors();
    fail(Reason::failed(fmt::format("TLS: \"{}\" cannot be a server's name", name)));
    return false;
  }
  if (name.empty() && !generation.skips_verification()) {
    fail(Reason::failed("TLS: whose certificate is to be expected is not known: set server_name"));
    return false;
  }
  side_.peer_name = fmt::format("{}:{}", name, side_.link->peer().port());
  if (detail::SessionCache* const sessions = generation.sessions()) {
    if (const auto session = sessions->take(side_.peer_name)) {
      SSL_set_session(ssl, session.get());
    }
  }
  return true;
}

void TlsTransport::make_step() {
  if (ssl_ == nullptr && !begin()) return;
  if (++steps_ > budget_->limits().steps_per_handshake) {
    fail(
        Reason::protocol_error(fmt::format("TLS handshake: it comes in more than {} pieces "
                                           "(handshakes.steps_per_handshake)",
                                           budget_->limits().steps_per_handshake)));
    return;
  }
  detail::clear_openssl_errors();  // such as of a session that does not fit
  const int result = SSL_do_handshake(ssl_.get());
  flush();
  if (side_.thrown) {
    phase_ = Phase::over;
    working_ = false;
    std::rethrow_exception(std::exchange(side_.thrown, nullptr));
  }
  if (result == 1) {
    handshake_done();
  } else if (const int why = SSL_get_error(ssl_.get(), result);
             why == SSL_ERROR_WANT_CLIENT_HELLO_CB) {
    ask_about_hello();
  } else if (why != SSL_ERROR_WANT_READ) {
    if (side_.generation->sessions() != nullptr) {
      side_.generation->sessions()->forget(side_.peer_name);
    }
    fail_from_openssl();
  }
}

void TlsTransport::ask_about_hello() {
  pause_ = std::make_shared<detail::HelloPause>(side_.link->process().pid());
  pause_->transport = this;
  const TlsHello hello{side_.hello_name, side_.link->peer()};
  try {
    side_.generation->on_hello_later()(hello, TlsHelloAnswer(pause_));
  } catch (...) {
    phase_ = Phase::over;
    working_ = false;
    throw;
  }
}

void TlsTransport::answered(detail::HelloVerdict verdict) {
  if (phase_ != Phase::handshake || !paused()) return;
  pause_.reset();
  side_.hello = detail::TlsSide::Hello::answered;
  if (!verdict.accepted) {
    side_.declined = "declined: " + verdict.why;
  } else if (!verdict.name.empty()) {
    side_.hello_name = std::move(verdict.name);
  }
  if (budget_->take(side_.link->scheduler(), *this, true)) work_on_kept();
}

void TlsTransport::handshake_done() {
  if (side_.generation->requires_alpn() && alpn_of(ssl_.get()).empty()) {
    fail(
        Reason::failed("TLS handshake: the peer agrees on no application protocol (ALPN), and "
                       "alpn_policy is required"));
    return;
  }
  phase_ = Phase::open;
  budget_.reset();
  side_.link->ready();
}

// ---- bytes --------------------------------------------------------------------------------------

void TlsTransport::read() {
  Link& link = *side_.link;
  // On the stack: it is lent for a delivery and hot in the cache; a buffer of the thread's would be
  // overwritten by TLS within TLS.
  std::array<char, longest_plain> plain;
  while (phase_ == Phase::open && !link.stopping() && !link.holding() &&
         (!side_.input.empty() || SSL_pending(ssl_.get()) > 0)) {
    detail::clear_openssl_errors();
    const int got = SSL_read(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
    if (got > 0) {
      link.deliver(BytesView(plain.data(), static_cast<std::size_t>(got)));
      continue;
    }
    const int why = SSL_get_error(ssl_.get(), got);
    if (why == SSL_ERROR_WANT_READ) continue;  // it has read all, and has no whole record yet
    if (why == SSL_ERROR_ZERO_RETURN) {
      phase_ = Phase::peer_done;
      side_.input = {};
      flush();
      link.deliver_end();
    } else {
      fail_from_openssl();
    }
    return;
  }
  flush();
}

void TlsTransport::send(SendQueue& plain) {
  detail::clear_openssl_errors();
  std::array<iovec, 64> pieces;
  std::array<char, longest_plain> together;
  while (!plain.empty()) {
    if (ssl_ == nullptr || phase_ == Phase::handshake || phase_ == Phase::over) {
      plain.clear();  // nobody will read it
      break;
    }
    const std::size_t count = plain.gather(pieces);
    const std::size_t first = std::min(pieces[0].iov_len, longest_plain);
    std::size_t size = 0;
    bool written = false;
    if (count == 1 || first == longest_plain) {
      size = first;
      written = write(BytesView(static_cast<const char*>(pieces[0].iov_base), size));
    } else {
      for (std::size_t i = 0; i < count && size < longest_plain; ++i) {
        const BytesView piece(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
        size += piece.copy(together.data() + size, longest_plain - size);
      }
      written = write(BytesView(together.data(), size));
    }
    if (!written) {
      plain.clear();
      return;
    }
    plain.consume(size);
  }
  flush();
}

bool TlsTransport::write(BytesView plain) {
  const int taken = SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
  if (taken == static_cast<int>(plain.size())) return true;
  fail_from_openssl();
  return false;
}

void TlsTransport::finish(const Reason&) {
  const Phase before = std::exchange(phase_, Phase::over);
  leave();
  kept_ = {};
  kept_at_ = 0;
  if (ssl_ == nullptr || (before != Phase::open && before != Phase::peer_done)) return;
  detail::clear_openssl_errors();
  SSL_shutdown(ssl_.get());  // sends close_notify; the peer's is not waited for
  detail::clear_openssl_errors();
  flush();
}

void TlsTransport::flush() {
  if (std::exchange(side_.wrote, false)) side_.link->flush();
}

void TlsTransport::fail(Reason reason) {
  phase_ = Phase::over;
  leave();
  side_.link->fail(std::move(reason));
}

void TlsTransport::fail_from_openssl() {
  Reason reason = detail::tls_failure(phase_ == Phase::handshake, side_.declined);
  flush();  // OpenSSL's alert
  fail(std::move(reason));
}

// ---- around -------------------------------------------------------------------------------------

std::size_t TlsTransport::kept() const noexcept {
  if (phase_ != Phase::open) return 0;
  return kept_.size() - kept_at_ + static_cast<std::size_t>(SSL_pending(ssl_.get()));
}

void TlsTransport::hibernate() {
  if (kept_.empty()) kept_.shrink_to_fit();
  if (ssl_ != nullptr) SSL_free_buffers(ssl_.get());  // does nothing while they hold something
  detail::clear_openssl_errors();
}

std::string TlsTransport::describe() const {
  if (ssl_ == nullptr || phase_ == Phase::handshake || SSL_is_init_finished(ssl_.get()) == 0) {
    return "TLS, in the handshake";
  }
  std::string text = fmt::format("{}, {}", version_of(ssl_.get()), SSL_get_cipher_name(ssl_.get()));
  if (const std::string alpn = alpn_of(ssl_.get()); !alpn.empty()) text += ", alpn " + alpn;
  if (side_.generation->skips_verification()) text += ", peer not verified";
  return text;
}

TlsInfo TlsTransport::info() const {
  TlsInfo info;
  SSL* const ssl = ssl_.get();
  if (ssl == nullptr || SSL_is_init_finished(ssl) == 0) return info;
  info.version = version_of(ssl);
  info.cipher = SSL_get_cipher_name(ssl);
  info.alpn = alpn_of(ssl);
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) {
    info.server_name = name;
  }
  info.resumed = SSL_session_reused(ssl) != 0;
  if (X509* const certificate = SSL_get0_peer_certificate(ssl)) {
    info.peer_verified =
        !side_.generation->skips_verification() && SSL_get_verify_result(ssl) == X509_V_OK;
    info.peer_subject = detail::subject_of(certificate);
    info.peer_names = detail::names_of(certificate);
    info.peer_fingerprint = detail::fingerprint_of(certificate);
  }
  return info;
}

}  // namespace hawser
