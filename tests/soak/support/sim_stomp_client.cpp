// What the bare STOMP client writes and how it reads.
#include "sim_stomp_client.hpp"

#include <algorithm>
#include <stdexcept>

namespace hawser::soak {

using stomp::Command;
using stomp::Frame;

SimStompClient::SimStompClient(Engine& engine, const Address& to, Options options)
    : engine_(engine), options_(std::move(options)) {
  auto id = engine.connect(to, {}, *this);
  if (!id) {
    failed = true;
    return;
  }
  id_ = *id;
  if (options_.logs_in && options_.pipelines) log_in();
  engine.wake();
}

SimStompClient::~SimStompClient() { close(CloseMode::immediate); }

bool SimStompClient::frame(const Frame& frame) {
  Bytes out;
  if (auto done = stomp::encode(out, frame, options_.version, {.any_body = true}); !done)
    throw std::runtime_error(done.error().text());
  return raw(out);
}

bool SimStompClient::raw(BytesView octets) {
  SendQueue* queue = engine_.outgoing(id_);
  if (queue == nullptr) return false;
  queue->append(octets);
  engine_.wake();
  return true;
}

bool SimStompClient::subscribe(std::string_view destination, std::string_view id,
                               std::string_view receipt) {
  Frame frame{Command::subscribe};
  frame.add("destination", destination).add("id", id);
  if (!receipt.empty()) frame.add("receipt", receipt);
  return this->frame(frame);
}

bool SimStompClient::unsubscribe(std::string_view id, std::string_view receipt) {
  Frame frame{Command::unsubscribe};
  frame.add("id", id);
  if (!receipt.empty()) frame.add("receipt", receipt);
  return this->frame(frame);
}

bool SimStompClient::send(std::string_view destination, std::string_view body,
                          std::string_view receipt) {
  Frame frame{Command::send};
  frame.add("destination", destination);
  if (!receipt.empty()) frame.add("receipt", receipt);
  frame.body = Payload(body);
  return this->frame(frame);
}

bool SimStompClient::disconnect(std::string_view receipt) {
  Frame frame{Command::disconnect};
  if (!receipt.empty()) frame.add("receipt", receipt);
  return this->frame(frame);
}

void SimStompClient::read(bool on) {
  options_.reads = on;
  if (!connected) return;
  on ? engine_.resume_receiving(id_) : engine_.pause_receiving(id_);
  engine_.wake();
}

void SimStompClient::end_sending() {
  engine_.shutdown_sending(id_);
  engine_.wake();
}

void SimStompClient::close(CloseMode mode) {
  if (closed) return;
  closed = true;
  if (!id_) return;
  engine_.close(id_, mode, engine_.now() + 10s);
  engine_.wake();
}

std::string SimStompClient::address() const {
  const auto local = engine_.local(id_);
  return local ? local->text() : std::string{};
}

bool SimStompClient::has_receipt(std::string_view id) const {
  return std::ranges::find(receipts, id) != receipts.end();
}

void SimStompClient::log_in() {
  Frame frame{Command::connect};
  frame.add("accept-version", stomp::to_string(options_.version)).add("host", "hub");
  if (!options_.heart_beat.empty()) frame.add("heart-beat", options_.heart_beat);
  this->frame(frame);
}

void SimStompClient::on_connected() {
  connected = true;
  if (options_.reads) engine_.resume_receiving(id_);
  if (options_.logs_in && !options_.pipelines) log_in();
}

void SimStompClient::on_received(BytesView bytes) {
  octets_in += bytes.size();
  for (;;) {
    switch (parser_.next(bytes, view_)) {
      case stomp::Step::frame:
        take(view_);
        continue;
      case stomp::Step::error:
        garbled = parser_.error()->text;
        return;
      default:
        return;
    }
  }
}

void SimStompClient::take(const stomp::FrameView& frame) {
  if (has_error) ++frames_after_error;
  switch (frame.command()) {
    case Command::connected:
      logged_in = true;
      parser_.set_version(options_.version);
      return;
    case Command::message:
      ++messages;
      if (on_message) on_message(frame);
      return;
    case Command::receipt:
      receipts.emplace_back(frame.first("receipt-id").value_or(""));
      if (on_receipt) on_receipt(receipts.back());
      return;
    case Command::error:
      has_error = true;
      error_message = frame.first("message").value_or("");
      error_body = frame.body();
      error_receipt = frame.first("receipt-id").value_or("");
      if (on_error) on_error(error_receipt);
      return;
    default:
      garbled = "a frame that no broker sends: " + Bytes(frame.command_name());
  }
}

}  // namespace hawser::soak
