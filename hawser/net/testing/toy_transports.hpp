// Small transports of a user's own, for tests of what a connection makes of any transport: one with
// a handshake and a key, one that keeps packets, one that is gone after a header. Internal to
// tests.
#pragma once

#include <hawser/net/transport.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/uio.h>

namespace hawser::testing {

/// With which a ToyCipher masks when it is told nothing else.
constexpr char toy_key = 0x55;
/// Bytes as ToyCipher sends them (and back).
inline std::string masked(std::string_view bytes, char key) {
  std::string out(bytes);
  for (char& byte : out) byte = static_cast<char>(byte ^ key);
  return out;
}

/// Both ends say `H`; from then on every byte is XORed with the key. Keeps what it may not deliver.
class ToyCipher final : public Transport {
 public:
  struct Options {
    char key = toy_key;
    std::size_t piece = 0;        ///< delivers at most so many bytes at once; 0: all there are
    std::string goodbye{};        ///< sent as it is at the end
    char throws_at = '\0';        ///< this plain byte (not 0) makes it throw
    int* sends = nullptr;         ///< counts the calls of send()
    bool flushes = true;          ///< false: forgets to
    bool says_nothing = false;    ///< never begins its handshake
    bool ready_twice = false;     ///< breaks the rules…
    bool heeds_holds = true;      ///< … in this way too
    bool delivers_early = false;  ///< … and in this
  };
  explicit ToyCipher(Options options) : options_(std::move(options)) {}

  void start(Link& link) override {
    link_ = &link;
    if (options_.delivers_early) link.deliver("early");
    if (!options_.says_nothing) put("H");
  }
  void received(BytesView bytes) override {
    kept_ += bytes;
    if (!ready_) {
      if (kept_[0] != 'H') {
        link_->fail(Reason::protocol_error("toy: no H"));
        return;
      }
      kept_.erase(0, 1);
      ready_ = true;
      link_->ready();
      if (options_.ready_twice) link_->ready();
    }
    resume();
  }
  void resume() override {
    while (!kept_.empty() && !link_->stopping() && !(options_.heeds_holds && link_->holding())) {
      const std::size_t size =
          options_.piece == 0 ? kept_.size() : std::min(options_.piece, kept_.size());
      const std::string plain = masked(BytesView(kept_).substr(0, size), options_.key);
      kept_.erase(0, size);
      if (options_.throws_at != '\0' && plain.find(options_.throws_at) != std::string::npos)
        throw std::runtime_error("toy: boom");
      link_->deliver(plain);
    }
  }
  void received_end() override {
    ready_ ? link_->deliver_end() : link_->fail(Reason::protocol_error("toy: ended too early"));
  }
  void send(SendQueue& plain) override {
    if (options_.sends != nullptr) ++*options_.sends;
    std::array<iovec, 8> vectors{};
    std::string all;
    while (!plain.empty()) {
      const std::size_t count = plain.gather(vectors);
      std::size_t taken = 0;
      for (std::size_t i = 0; i < count; ++i) {
        all.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
        taken += vectors[i].iov_len;
      }
      plain.consume(taken);
    }
    put(masked(all, options_.key));
  }
  void finish(const Reason& reason) override {
    if (!options_.goodbye.empty()) put(options_.goodbye);
    last_reason = reason.text();
  }
  std::size_t kept() const noexcept override { return ready_ ? kept_.size() : 0; }
  std::string describe() const override { return "toy cipher"; }

  std::string last_reason;

 private:
  void put(BytesView bytes) {
    SendQueue* below = link_->below();
    if (below == nullptr) return;
    below->append(bytes);
    if (options_.flushes) link_->flush();
  }
  Options options_;
  Link* link_ = nullptr;
  std::string kept_;
  bool ready_ = false;
};

inline TransportMaker toy_cipher(ToyCipher::Options options = {}) {
  return [options] { return std::make_unique<ToyCipher>(options); };
}

/// One byte of length before each packet; keeps packets, empty ones too. Those of up to `at_once`
/// bytes it takes on the short way.
class ToyPackets final : public Transport {
 public:
  explicit ToyPackets(std::size_t at_once) noexcept : at_once_(at_once) {}
  void start(Link& link) override {
    link_ = &link;
    link.ready();
  }
  void received(BytesView bytes) override {
    kept_ += bytes;
    resume();
  }
  void resume() override {
    while (whole() && !link_->stopping() && !link_->holding()) {
      const std::size_t size = static_cast<unsigned char>(kept_[0]);
      const std::string packet = kept_.substr(1, size);
      kept_.erase(0, 1 + size);
      link_->deliver(packet);
    }
  }
  void received_end() override { link_->deliver_end(); }
  void send(SendQueue& plain) override {
    SendQueue* below = link_->below();
    if (below == nullptr) return;
    if (plain.size() > 255) throw std::logic_error("toy: packets ran together");
    const char size = static_cast<char>(plain.size());
    below->append(BytesView(&size, 1));
    while (!plain.empty()) {
      iovec vector{};
      plain.gather(std::span(&vector, 1));
      below->append(BytesView(static_cast<const char*>(vector.iov_base), vector.iov_len));
      plain.consume(vector.iov_len);
    }
    link_->flush();
  }
  bool send_packet(BytesView packet) override {
    SendQueue* below = link_->below();
    if (below == nullptr || packet.size() > at_once_) return false;
    const char size = static_cast<char>(packet.size());
    below->append(BytesView(&size, 1));
    below->append(packet);
    link_->flush();
    return true;
  }
  void finish(const Reason&) override {}
  bool keeps_packets() const noexcept override { return true; }
  std::size_t kept() const noexcept override { return whole() ? kept_.size() : 0; }
  std::string describe() const override { return "toy packets"; }

 private:
  bool whole() const noexcept {
    return !kept_.empty() && kept_.size() > static_cast<unsigned char>(kept_[0]);
  }
  std::size_t at_once_;
  Link* link_ = nullptr;
  std::string kept_;
};

inline TransportMaker toy_packets(std::size_t at_once = 0) {
  return [at_once] { return std::make_unique<ToyPackets>(at_once); };
}

/// Reads "address\n", makes it the peer, and has done its work.
class ToyHeader final : public Transport {
 public:
  void start(Link& link) override { link_ = &link; }
  void received(BytesView bytes) override {
    kept_ += bytes;
    const std::size_t end = kept_.find('\n');
    if (!done_ && end == std::string::npos) return;
    if (!done_) {
      const auto address = Address::parse(kept_.substr(0, end));
      kept_.erase(0, end + 1);
      if (!address) {
        link_->fail(Reason::protocol_error("toy: no address"));
        return;
      }
      link_->set_peer(*address);
      done_ = true;
      link_->ready();
    }
    resume();
  }
  void resume() override {
    if (kept_.empty() || link_->holding() || link_->stopping()) return;
    const std::string all = std::exchange(kept_, {});
    link_->deliver(all);
  }
  void received_end() override {
    done_ ? link_->deliver_end() : link_->fail(Reason::protocol_error("toy: no header"));
  }
  void send(SendQueue& plain) override {
    SendQueue* below = link_->below();
    while (below != nullptr && !plain.empty()) {
      iovec vector{};
      plain.gather(std::span(&vector, 1));
      below->append(BytesView(static_cast<const char*>(vector.iov_base), vector.iov_len));
      plain.consume(vector.iov_len);
    }
    link_->flush();
  }
  void finish(const Reason&) override {}
  bool finished() const noexcept override { return done_; }
  std::size_t kept() const noexcept override { return done_ ? kept_.size() : 0; }
  std::string describe() const override { return "toy header"; }

 private:
  Link* link_ = nullptr;
  std::string kept_;
  bool done_ = false;
};

inline TransportMaker toy_header() {
  return [] { return std::make_unique<ToyHeader>(); };
}

}  // namespace hawser::testing
