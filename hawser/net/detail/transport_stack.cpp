// Bytes on their way through the transports of a connection.
#include <hawser/net/detail/transport_stack.hpp>

#include <hawser/base/check.hpp>
#include <hawser/process/process.hpp>

#include <utility>

namespace hawser::detail {

class TransportStack::Layer final : public Transport::Link {
 public:
  Layer(TransportStack& stack, std::size_t at_level, std::unique_ptr<Transport> made)
      : transport(std::move(made)), plain(stack.pool_), level(at_level), stack_(stack) {}

  /// What is above has appended to `plain`: as soon as we are ready, it goes down.
  void push_down() {
    if (!is_ready || finished || plain.empty()) return;
    transport->send(plain);
  }

  std::unique_ptr<Transport> transport;
  SendQueue plain;  // from above, not converted yet
  std::size_t level;
  bool started = false;
  bool is_ready = false;
  bool finished = false;

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
    if (!stack_.retired_) stack_.ended_at(*this);
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
    if (!stack_.retired_) stack_.owner_.transport_callback(callback, body);
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
  check(transport != nullptr, "a transport maker answers a transport");
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
  layer.transport->start(layer);
}

void TransportStack::ready_at(Layer& layer) {
  check(!layer.is_ready, "a transport is ready once");
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
  ++depth_;
  layers_.front()->transport->received(wire);
  --depth_;
  tidy();
}

void TransportStack::received_on_top(BytesView bytes) {
  ++depth_;
  layers_.back()->transport->received(bytes);
  --depth_;
  tidy();
}

void TransportStack::delivered_from(Layer& layer, BytesView bytes) {
  check(layer.is_ready, "a transport delivers nothing before it is ready");
  if (layer.level + 1 < layers_.size()) {
    if (!bytes.empty()) layers_[layer.level + 1]->transport->received(bytes);
  } else {
    owner_.transport_delivered(bytes);
  }
}

void TransportStack::received_end() {
  ++depth_;
  layers_.front()->transport->received_end();
  --depth_;
}

void TransportStack::ended_at(Layer& layer) {
  if (layer.level + 1 < layers_.size()) {
    layers_[layer.level + 1]->transport->received_end();
  } else {
    owner_.transport_ended();
  }
}

void TransportStack::resume() {
  ++depth_;
  for (std::size_t level = layers_.size(); level-- > 0;) {
    if (owner_.transport_holding() || owner_.transport_stopping()) break;
    if (layers_[level]->is_ready) layers_[level]->transport->resume();
  }
  --depth_;
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
    top.transport->send(top.plain);
  } else {
    top.push_down();
  }
}

SendQueue* TransportStack::below(Layer& layer) {
  if (layer.level > 0) {
    Layer& lower = *layers_[layer.level - 1];
    return lower.finished ? nullptr : &lower.plain;
  }
  SendQueue* wire = owner_.wire();
  if (wire != nullptr && !std::exchange(wire_marked_, true)) wire_before_ = wire->size();
  return wire;
}

void TransportStack::flush_below(Layer& layer) {
  if (layer.level > 0) {
    layers_[layer.level - 1]->push_down();
    return;
  }
  if (!std::exchange(wire_marked_, false)) return;
  const SendQueue* wire = owner_.wire();
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
  for (std::size_t level = layers_.size(); level-- > 0;) {
    Layer& layer = *layers_[level];
    if (!layer.started || std::exchange(layer.finished, true)) continue;
    layer.transport->finish(reason);
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
