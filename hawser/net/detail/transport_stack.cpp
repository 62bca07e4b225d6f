// Bytes on their way through the transports of a connection.
#include <hawser/net/detail/transport_stack.hpp>

#include <hawser/process/process.hpp>

#include <stdexcept>
#include <utility>

namespace hawser::detail {

namespace {
constexpr std::size_t unsettled_at_most = 16384;
}

class TransportStack::Inside {
 public:
  explicit Inside(TransportStack& stack) noexcept : stack_(stack) { ++stack_.depth_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() {
    // Only an exception leaves the wire uncounted; its queue may be gone before the next call.
    if (stack_.depth_ == 1) stack_.count_wire();
    --stack_.depth_;
  }

 private:
  TransportStack& stack_;
};

/// A call into a transport. Behind the outermost one what it appended goes on its way, whether the
/// transport has called flush() or not. After an exception finish() does that.
template <class Body>
void TransportStack::enter(const Body& body) {
  const Inside inside(*this);
  body();
  if (depth_ == 1) settle();
}

class TransportStack::Layer final : public Transport::Link {
 public:
  Layer(TransportStack& stack, std::size_t at_level, std::unique_ptr<Transport> made)
      : transport(std::move(made)), plain(stack.pool_), level(at_level), stack_(stack) {}

  /// What is above has appended to `plain`: as soon as we are ready, it goes down.
  void push_down() {
    if (!is_ready || finished || plain.empty()) return;
    stack_.enter([this] { transport->send(plain); });
  }

  std::unique_ptr<Transport> transport;
  SendQueue plain;  // from above, not converted yet
  std::size_t level;
  bool started = false;
  bool is_ready = false;
  bool finished = false;
  bool ended = false;  // has said that the peer will send no more

 private:
  void ready() override {
    if (!stack_.retired_) stack_.ready_at(*this);
  }
  void deliver(BytesView bytes) override {
    // Empty messages are messages; of a mere stream, nothing is nothing.
    if (!stack_.retired_ && (!bytes.empty() || transport->keeps_packets()))
      stack_.delivered_from(*this, bytes);
  }
  void deliver_end() override {
    if (!stack_.retired_ && !std::exchange(ended, true)) stack_.ended_at(*this);
  }
  bool holding() const override { return stack_.owner_.transport_holding(); }
  void fail(Reason reason) override {
    if (!stack_.retired_) stack_.owner_.transport_failed(std::move(reason));
  }
  bool stopping() const override { return stack_.retired_ || stack_.owner_.transport_stopping(); }
  SendQueue* below() override { return stack_.retired_ ? nullptr : stack_.below(*this); }
  void flush() override {
    if (!stack_.retired_) stack_.flush_below(*this);
  }
  Scheduler& scheduler() const override { return process().scheduler(); }
  Process& process() const override { return stack_.owner_.transport_process(); }
  void run(const char* callback, const std::function<void()>& body) override {
    if (stack_.retired_) return;
    stack_.owner_.transport_callback(callback, [this, &body] { stack_.enter(body); });
  }
  void set_peer(const Address& peer) override { stack_.owner_.transport_peer(peer); }
  Address peer() const override { return std::as_const(stack_.owner_).transport_peer(); }
  std::string_view host() const override { return stack_.owner_.transport_host(); }

  TransportStack& stack_;
};

TransportStack::TransportStack(Owner& owner, SendPool& pool) noexcept
    : owner_(owner), pool_(pool) {}
TransportStack::~TransportStack() { retired_ = true; }

void TransportStack::push(std::unique_ptr<Transport> transport) {
  if (transport == nullptr) throw std::logic_error("a transport maker answered nothing");
  layers_.push_back(std::make_unique<Layer>(*this, layers_.size(), std::move(transport)));
}

void TransportStack::start() {
  for (std::size_t level = 0; level < layers_.size(); ++level) {
    if (layers_[level]->started) continue;
    start_layer(level);
    return;
  }
}

void TransportStack::start_layer(std::size_t level) {
  Layer& layer = *layers_[level];
  layer.started = true;
  enter([&layer] { layer.transport->start(layer); });
}

void TransportStack::ready_at(Layer& layer) {
  // Transports may be the user's own: what they do wrong ends their connection only.
  if (layer.is_ready) throw std::logic_error("a transport was ready twice");
  layer.is_ready = true;
  if (owner_.transport_stopping()) return;
  if (layer.level + 1 < layers_.size()) {
    if (!layers_[layer.level + 1]->started) start_layer(layer.level + 1);
  } else {
    owner_.transports_ready();
  }
  layer.push_down();
}

bool TransportStack::ready() const noexcept { return layers_.empty() || layers_.back()->is_ready; }

// ---- up
// ------------------------------------------------------------------------------------------------

void TransportStack::received(BytesView wire) {
  enter([&] { layers_.front()->transport->received(wire); });
  tidy();
}

void TransportStack::received_on_top(BytesView bytes) {
  enter([&] { layers_.back()->transport->received(bytes); });
  tidy();
}

void TransportStack::delivered_from(Layer& layer, BytesView bytes) {
  if (!layer.is_ready) throw std::logic_error("a transport delivered bytes before it was ready");
  if (layer.level + 1 < layers_.size()) {
    if (!bytes.empty() && !owner_.transport_stopping())
      layers_[layer.level + 1]->transport->received(bytes);
  } else {
    owner_.transport_delivered(bytes);
  }
}

void TransportStack::received_end() {
  enter([this] { layers_.front()->transport->received_end(); });
}

void TransportStack::ended_at(Layer& layer) {
  if (owner_.transport_stopping()) return;
  if (layer.level + 1 < layers_.size()) {
    layers_[layer.level + 1]->transport->received_end();
  } else {
    owner_.transport_ended();
  }
}

void TransportStack::resume() {
  enter([this] {
    for (std::size_t level = layers_.size(); level-- > 0;) {
      if (owner_.transport_holding() || owner_.transport_stopping()) break;
      if (layers_[level]->is_ready) layers_[level]->transport->resume();
    }
  });
  tidy();
}

std::size_t TransportStack::kept() const noexcept {
  std::size_t sum = 0;
  for (const auto& layer : layers_) sum += layer->transport->kept();
  return sum;
}

// ---- down
// ----------------------------------------------------------------------------------------------

SendQueue& TransportStack::staging() noexcept { return layers_.back()->plain; }

void TransportStack::flush() {
  Layer& top = *layers_.back();
  // Of a transport that keeps packets each flush is one, be it empty.
  if (top.is_ready && !top.finished && top.transport->keeps_packets()) {
    enter([&top] { top.transport->send(top.plain); });
  } else {
    top.push_down();
  }
}

bool TransportStack::send_packet(BytesView packet) {
  Layer& top = *layers_.back();
  if (!top.is_ready || top.finished || !top.plain.empty()) return false;
  bool sent = false;
  enter([&] { sent = top.transport->send_packet(packet); });
  return sent;
}

SendQueue* TransportStack::below(Layer& layer) {
  if (layer.level > 0) {
    Layer& lower = *layers_[layer.level - 1];
    return lower.finished ? nullptr : &lower.plain;
  }
  if (wire_ != nullptr) return wire_;
  SendQueue* wire = owner_.wire();
  if (wire == nullptr) return nullptr;
  wire_before_ = wire->size();
  wire_ = wire;
  return wire;
}

/// Within a call it goes on at the end, all of it together: one TLS record for many short messages,
/// one look at the wire. But before it is much: limits are to be heeded.
void TransportStack::flush_below(Layer& layer) {
  if (layer.level > 0) {
    Layer& lower = *layers_[layer.level - 1];
    if (depth_ == 0 || lower.plain.size() >= unsettled_at_most) lower.push_down();
    return;
  }
  if (depth_ != 0 && wire_ != nullptr && wire_->size() - wire_before_ < unsettled_at_most) return;
  count_wire();
}

void TransportStack::settle() {
  const Inside inside(*this);
  for (std::size_t level = layers_.size(); level-- > 1;) layers_[level - 1]->push_down();
  count_wire();
}

void TransportStack::count_wire() {
  const SendQueue* const wire = std::exchange(wire_, nullptr);
  if (wire != nullptr && wire->size() > wire_before_) owner_.wire_grown(wire_before_, wire->size());
}

bool TransportStack::keeps_packets() const noexcept {
  return layers_.back()->transport->keeps_packets();
}

std::size_t TransportStack::staged() const noexcept {
  std::size_t sum = 0;
  for (const auto& layer : layers_) sum += layer->plain.size();
  return sum;
}

// ---- the rest
// ------------------------------------------------------------------------------------------

void TransportStack::finish(const Reason& reason) {
  settle();  // also the wire: perhaps nothing more may be sent, ask anew
  for (std::size_t level = layers_.size(); level-- > 0;) {
    Layer& layer = *layers_[level];
    if (!layer.started || std::exchange(layer.finished, true)) continue;
    enter([&] { layer.transport->finish(reason); });
    settle();  // before what is below says goodbye
  }
}

void TransportStack::tidy() {
  if (depth_ != 0) return;
  for (std::size_t level = 0; level < layers_.size();) {
    Layer& layer = *layers_[level];
    if (!layer.is_ready || !layer.transport->finished() || !layer.plain.empty() ||
        layer.transport->kept() != 0) {
      ++level;
      continue;
    }
    layers_.erase(layers_.begin() + static_cast<std::ptrdiff_t>(level));
    for (std::size_t i = level; i < layers_.size(); ++i) layers_[i]->level = i;
  }
}

void TransportStack::hibernate() {
  for (const auto& layer : layers_) layer->transport->hibernate();
}

std::string TransportStack::describe() const {
  std::string text;
  for (std::size_t level = layers_.size(); level-- > 0;) {
    if (!text.empty()) text += " over ";
    text += layers_[level]->transport->describe();
  }
  return text;
}

Transport* TransportStack::at(std::size_t from_top) const noexcept {
  return from_top < layers_.size() ? layers_[layers_.size() - 1 - from_top]->transport.get()
                                   : nullptr;
}

}  // namespace hawser::detail
