// One header, then nothing but passing on.
#include <hawser/net/proxy_protocol.hpp>

#include <fmt/format.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace hawser {

namespace {

constexpr std::size_t v2_smallest = 16;
constexpr std::size_t v2_largest = v2_smallest + 0xffff;

/// Passes everything on in both directions, until it is taken out. While what is above holds, bytes
/// and the peer's end are kept here, and it is not finished.
class PassingTransport : public Transport {
 public:
  void received(BytesView bytes) override {
    held_.append(bytes);
    pass_on();
  }
  void resume() override { pass_on(); }
  void received_end() override {
    ended_ = true;
    pass_on();
  }
  void send(SendQueue& plain) override {
    SendQueue* below = link_->below();
    std::array<iovec, 16> vectors{};
    while (!plain.empty()) {
      const std::size_t count = plain.gather(vectors);
      std::size_t taken = 0;
      for (const iovec& vector : std::span(vectors).first(count)) {
        if (below != nullptr) {
          below->append(BytesView(static_cast<const char*>(vector.iov_base), vector.iov_len));
        }
        taken += vector.iov_len;
      }
      plain.consume(taken);
    }
    if (below != nullptr) link_->flush();
  }
  void finish(const Reason&) override {}
  bool finished() const noexcept override { return begun_ && held_.empty() && !ended_; }
  std::size_t kept() const noexcept override { return held_.size(); }
  std::string describe() const override { return described_; }

 protected:
  /// What is above begins.
  void begin(std::string described) {
    begun_ = true;
    described_ = std::move(described);
    link_->ready();
  }
  void pass_on() {
    if (!begun_ || link_->stopping() || link_->holding()) return;
    if (!held_.empty()) {
      // Out of the way first: what is above may hold from inside deliver(), but all is taken then.
      const std::string bytes = std::exchange(held_, {});
      link_->deliver(bytes);
      if (link_->stopping() || link_->holding()) return;
    }
    if (std::exchange(ended_, false)) link_->deliver_end();
  }

  Link* link_ = nullptr;
  std::string held_;
  bool begun_ = false;
  bool ended_ = false;
  std::string described_ = "PROXY, no header yet";
};

/// The server's side.
class ProxyProtocolTransport final : public PassingTransport {
 public:
  explicit ProxyProtocolTransport(std::shared_ptr<const ProxyProtocolOptions> options) noexcept
      : options_(std::move(options)) {}

  void start(Link& link) override {
    link_ = &link;
    if (const auto faults = options_->faults(); !faults.empty()) {
      link.fail(Reason::failed("proxy_protocol: " + faults.front()));
      return;
    }
    const Address peer = link.peer();
    if (contains(options_->trusted, peer)) return;
    if (options_->untrusted == UntrustedPeer::refuse) {
      link.fail(Reason::failed(
          fmt::format("{} is not among the trusted sources of PROXY headers", name(peer))));
      return;
    }
    begin("PROXY, untrusted peer taken as a plain client");
  }

  void received(BytesView bytes) override {
    if (link_->stopping()) return;
    held_.append(bytes);
    if (!begun_ && held_.size() >= wanted_) read_header();
    pass_on();
  }

  void received_end() override {
    if (link_->stopping()) return;
    if (begun_ || plain_client_at_end()) {
      if (!begun_) begin("PROXY, plain client");
      PassingTransport::received_end();
    } else if (held_.empty()) {
      link_->fail(Reason::closed());
    } else {
      link_->fail(Reason::protocol_error(
          fmt::format("the peer closed after {} bytes of its PROXY header", held_.size())));
    }
  }

 private:
  /// Too little has come to tell a header from a client that sends just these few bytes.
  bool plain_client_at_end() const noexcept {
    return !options_->required && held_.size() < (held_.starts_with('P') ? 6U : 12U);
  }

  static std::string name(const Address& peer) {
    return peer.family() == Address::Family::none ? "an unnamed Unix peer" : peer.host();
  }

  void read_header() {
    ProxyHeaderRead read = read_proxy_header(held_, options_->header);
    switch (read.kind) {
      case ProxyHeaderRead::Kind::need_more:
        wanted_ = read.size;
        return;
      case ProxyHeaderRead::Kind::not_header:
        if (options_->required) {
          link_->fail(Reason::protocol_error(
              "the connection does not begin with a PROXY header, although its peer is a proxy"));
        } else {
          begin("PROXY, plain client");
        }
        return;
      case ProxyHeaderRead::Kind::invalid:
        link_->fail(Reason::protocol_error(std::move(read.fault)));
        return;
      case ProxyHeaderRead::Kind::header:
        held_.erase(0, read.size);
        take(read.header);
        return;
    }
  }

  void take(const ProxyHeader& header) {
    if (options_->on_header) {
      if (auto allowed = options_->on_header(header, link_->peer()); !allowed) {
        link_->fail(Reason::failed(allowed.error().text()));
        return;
      }
    }
    if (header.source.family() != Address::Family::none) link_->set_peer(header.source);
    begin(header.describe());
  }

  std::shared_ptr<const ProxyProtocolOptions> options_;  // one for all connections of a server
  std::size_t wanted_ = 1;  // with fewer bytes of the header there is nothing to be learnt
};

/// The client's side.
class ProxyHeaderSender final : public PassingTransport {
 public:
  explicit ProxyHeaderSender(std::function<ProxyHeader()> make) noexcept : make_(std::move(make)) {}

  void start(Link& link) override {
    link_ = &link;
    const ProxyHeader header = make_();
    const auto bytes = write_proxy_header(header);
    if (!bytes) {
      link.fail(Reason::failed(bytes.error().text()));
      return;
    }
    SendQueue* below = link.below();
    if (below == nullptr) return;  // the connection is about to hear why
    below->append(*bytes);
    link.flush();
    if (!link.stopping()) begin(header.describe());
  }

 private:
  std::function<ProxyHeader()> make_;
};

}  // namespace

std::vector<std::string> ProxyProtocolOptions::faults() const {
  std::vector<std::string> faults;
  if (trusted.empty()) {
    faults.emplace_back("trusted: names nobody; name the load balancers' addresses, or * for all");
  }
  if (!header.v1 && !header.v2) faults.emplace_back("header: takes neither version 1 nor 2");
  if (header.maximum < v2_smallest || header.maximum > v2_largest) {
    faults.push_back(fmt::format("header.maximum: {} bytes, {} to {} are possible", header.maximum,
                                 v2_smallest, v2_largest));
  }
  return faults;
}

TransportMaker proxy_protocol(ProxyProtocolOptions options) {
  return [options = std::make_shared<const ProxyProtocolOptions>(std::move(options))] {
    return std::make_unique<ProxyProtocolTransport>(options);
  };
}

TransportMaker send_proxy_protocol(std::function<ProxyHeader()> make) {
  return [make = std::move(make)] { return std::make_unique<ProxyHeaderSender>(make); };
}

TransportMaker send_proxy_protocol(ProxyHeader header) {
  return send_proxy_protocol([header = std::move(header)] { return header; });
}

}  // namespace hawser
