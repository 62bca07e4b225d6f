// Contexts: the options, for reloading, and the state that transports share.
#include <hawser/net/tls/detail/context_state.hpp>
#include <hawser/net/tls/detail/generation.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/net/tls/tls_transport.hpp>

#include <mutex>
#include <utility>

namespace hawser {

namespace {

/// Server and client differ in their options only.
template <class Options>
struct ContextState {
  ContextState(Options given, std::shared_ptr<const detail::TlsGeneration> generation)
      : options(std::move(given)),
        shared(
            std::make_shared<detail::TlsContextState>(std::move(generation), options.handshakes)) {}

  template <class State>
  static Result<std::shared_ptr<State>> create(Options options) {
    auto made = detail::TlsGeneration::make(options);
    if (!made) return std::unexpected(std::move(made.error()));
    return std::make_shared<State>(std::move(options), std::move(*made));
  }
  Result<void> reload() {
    const std::lock_guard lock(mutex);
    return take(options);
  }
  Result<void> replace(Options given) {
    const std::lock_guard lock(mutex);
    if (auto taken = take(given); !taken) return taken;
    options = std::move(given);
    return {};
  }

  std::mutex mutex;  // one reload at a time
  Options options;
  const std::shared_ptr<detail::TlsContextState> shared;

 private:
  Result<void> take(const Options& from) {
    auto made = detail::TlsGeneration::make(from);
    if (!made) return std::unexpected(std::move(made.error()));
    shared->replace(std::move(*made), from.handshakes);
    return {};
  }
};

}  // namespace

struct TlsServerContext::State : ContextState<TlsServerOptions> {
  using ContextState::ContextState;
};
struct TlsClientContext::State : ContextState<TlsClientOptions> {
  using ContextState::ContextState;
};

Result<TlsServerContext> TlsServerContext::create(TlsServerOptions options) {
  auto state = State::create<State>(std::move(options));
  if (!state) return std::unexpected(std::move(state.error()));
  return TlsServerContext(std::move(*state));
}

Result<TlsServerContext> TlsServerContext::of_files(std::string certificate,
                                                    std::string private_key,
                                                    std::string client_authorities) {
  TlsServerOptions options;
  TlsIdentity identity;
  identity.certificate_file = std::move(certificate);
  identity.private_key_file = std::move(private_key);
  options.identities.push_back(std::move(identity));
  if (!client_authorities.empty()) {
    options.client_certificates = TlsClientCertificates::require;
    options.client_trust.authority_file = std::move(client_authorities);
  }
  return create(std::move(options));
}
Result<void> TlsServerContext::reload() const { return state_->reload(); }
Result<void> TlsServerContext::replace(TlsServerOptions options) const {
  return state_->replace(std::move(options));
}
std::vector<std::string> TlsServerContext::warnings(
    std::chrono::system_clock::time_point now) const {
  return state_->shared->generation()->warnings(now);
}

Result<TlsClientContext> TlsClientContext::create(TlsClientOptions options) {
  auto state = State::create<State>(std::move(options));
  if (!state) return std::unexpected(std::move(state.error()));
  return TlsClientContext(std::move(*state));
}
Result<void> TlsClientContext::reload() const { return state_->reload(); }
Result<void> TlsClientContext::replace(TlsClientOptions options) const {
  return state_->replace(std::move(options));
}
std::vector<std::string> TlsClientContext::warnings(
    std::chrono::system_clock::time_point now) const {
  return state_->shared->generation()->warnings(now);
}

TransportMaker tls_server(TlsServerContext context) {
  return [shared = context.state_->shared] { return std::make_unique<TlsTransport>(shared); };
}

TransportMaker tls_client(TlsClientContext context) {
  return [shared = context.state_->shared] { return std::make_unique<TlsTransport>(shared); };
}

namespace {

/// Stands where a TLS client would, had its options been good.
class BrokenTransport final : public Transport {
 public:
  explicit BrokenTransport(std::string why) noexcept : why_(std::move(why)) {}
  void start(Link& link) override { link.fail(Reason::failed(why_)); }
  void received(BytesView) override {}
  void received_end() override {}
  void send(SendQueue& plain) override { plain.clear(); }
  void finish(const Reason&) override {}
  std::string describe() const override { return "TLS that cannot be set up"; }

 private:
  std::string why_;
};

}  // namespace

TransportMaker tls_client(TlsClientOptions options) {
  auto context = TlsClientContext::create(std::move(options));
  if (context) return tls_client(std::move(*context));
  return [why = context.error().text()] { return std::make_unique<BrokenTransport>(why); };
}

}  // namespace hawser
