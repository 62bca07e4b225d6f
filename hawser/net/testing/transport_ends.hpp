// A transport between a test and nothing: what it delivers and what it sends are collected, and two
// of them can be joined back to back. Internal to tests.
#pragma once

#include <hawser/engine/send_queue.hpp>
#include <hawser/net/transport.hpp>

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser::testing {

/// Takes everything out of a queue.
inline std::string drain(SendQueue& queue) {
  std::string all;
  std::array<iovec, 16> vectors{};
  while (!queue.empty()) {
    const std::size_t count = queue.gather(vectors);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count; ++i) {
      all.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
      taken += vectors[i].iov_len;
    }
    queue.consume(taken);
  }
  return all;
}

/// One end: the transport, its link, and what came out of it on both sides.
class TransportEnd : public Transport::Link {
 public:
  explicit TransportEnd(std::unique_ptr<Transport> made, std::string host_name = {})
      : transport(std::move(made)), host_name_(std::move(host_name)) {}

  virtual ~TransportEnd() = default;

  void start() { transport->start(*this); }
  /// Plain bytes to the peer, as the connection would send them.
  void send(BytesView plain) {
    plain_.append(plain);
    transport->send(plain_);
    if (!plain_.empty()) throw std::logic_error("the transport left plain bytes behind");
  }
  /// What has been written for the peer since the last call.
  std::string wire() { return drain(wire_); }
  void let_go() {
    held = false;
    transport->resume();
  }

  std::unique_ptr<Transport> transport;
  std::string delivered;
  std::vector<std::string> deliveries;  ///< the same, one by one
  bool is_ready = false;
  bool ended = false;
  bool held = false;
  bool hold_after_each = false;  ///< every delivery sets `held`
  std::optional<Reason> failed;
  Address peer_address;
  /// Set by tests whose transport uses timers.
  Scheduler* scheduler_used = nullptr;
  Process* process_used = nullptr;

 private:
  void ready() override {
    if (std::exchange(is_ready, true)) throw std::logic_error("ready twice");
  }
  void deliver(BytesView bytes) override {
    if (held) throw std::logic_error("delivered while held");
    if (!is_ready) throw std::logic_error("delivered before ready");
    delivered += bytes;
    deliveries.emplace_back(bytes);
    if (hold_after_each) held = true;
  }
  void deliver_end() override {
    if (std::exchange(ended, true)) throw std::logic_error("end of stream twice");
  }
  bool holding() const override { return held; }
  void fail(Reason reason) override {
    if (!failed) failed = std::move(reason);
  }
  bool stopping() const override { return failed.has_value(); }
  SendQueue* below() override { return &wire_; }
  void flush() override {}
  Scheduler& scheduler() const override {
    if (scheduler_used == nullptr) throw std::logic_error("this test gives no scheduler");
    return *scheduler_used;
  }
  Process& process() const override {
    if (process_used == nullptr) throw std::logic_error("this test gives no process");
    return *process_used;
  }
  void run(const char*, const std::function<void()>& body) override { body(); }
  void set_peer(const Address& peer) override { peer_address = peer; }
  Address peer() const override { return peer_address; }
  std::string_view host() const override { return host_name_; }

  std::string host_name_;
  SendPool pool_;
  SendQueue plain_{pool_};
  SendQueue wire_{pool_};
};

/// Carries bytes between two ends, `piece` at a time (0: all at once), until both are silent.
inline void exchange(TransportEnd& left, TransportEnd& right, std::size_t piece = 0) {
  const auto carry = [piece](TransportEnd& from, TransportEnd& to) {
    const std::string bytes = from.wire();
    for (std::size_t at = 0; at < bytes.size() && !to.failed;) {
      const std::size_t size = piece == 0 ? bytes.size() : std::min(piece, bytes.size() - at);
      to.transport->received(BytesView(bytes).substr(at, size));
      at += size;
    }
    return !bytes.empty();
  };
  for (bool moved = true; moved;) {
    moved = carry(left, right);
    moved = carry(right, left) || moved;
  }
}

}  // namespace hawser::testing
