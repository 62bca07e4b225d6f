// What the well-behaved say.
#include "script.hpp"

#include <fmt/format.h>

#include <charconv>

namespace hawser::soak {
namespace {
constexpr std::uint64_t publisher_number = 1;
}

Script::Script(SoakWorld& hub, const Address& stomp, const Address& packet, BusModel& model)
    : hub_(hub),
      model_(model),
      publisher_(hub.peers_on("good"), stomp),
      subscriber_(hub.peers_on("good"), stomp, {.heart_beat = "0,5000", .pipelines = true}),
      consumer_(hub.peers_on("good"), stomp, {.version = stomp::Version::v1_1, .pipelines = true}),
      turner_(hub.peers_on("good"), stomp, {.pipelines = true}),
      packets_(hub.peers_on("good"), packet) {
  listen(publisher_);
  listen(subscriber_);
  listen(consumer_);
  listen(turner_);
  turner_.subscribe("/queue/turns", std::to_string(turn_), "ready");
  subscriber_.subscribe("/topic/good", "1", "ready");
  consumer_.subscribe("/queue/sure", "2", "ready");
}

void Script::listen(SimStompClient& client) {
  client.on_message = [this](const stomp::FrameView& frame) {
    const auto id = frame.first("subscription").value_or("");
    std::uint64_t number = 0;
    std::from_chars(id.data(), id.data() + id.size(), number);
    model_.delivered(number, frame.first("destination").value_or(""), frame.body());
    if (number > turn_ ||
        (number == turn_ && !turning_ && turner_.has_receipt("end " + std::to_string(turn_))))
      faults_.push_back("a MESSAGE for a subscription that is not: " + std::to_string(number));
    if (number == 1) ++of_topic_;
    if (number == 2 && frame.body().starts_with(fmt::format("{}:", publisher_number))) ++of_queue_;
  };
  client.on_receipt = [this](std::string_view receipt) { model_.receipted(receipt); };
  client.on_error = [this](std::string_view receipt) { model_.refused(receipt); };
}

bool Script::ready() const {
  return publisher_.logged_in && subscriber_.has_receipt("ready") &&
         consumer_.has_receipt("ready") && packets_.connected;
}

void Script::begin() {
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::string_view to : {"/topic/good", "/queue/sure"}) {
      const std::string body = model_.next_body(publisher_number, to, i);
      publisher_.send(to, body, BusModel::receipt_of(to, body));
    }
    const std::string packet = testing::framed(fmt::format("packet {}", i));
    packets_sent_ += packet;
    packets_.send(packet);
  }
}

void Script::take_turns() {
  const std::string_view to = "/queue/turns";
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string body = model_.next_body(publisher_number, to, 0);
    publisher_.send(to, body, BusModel::receipt_of(to, body));
  }
  if (!turning_) {
    turning_ = true;
    turner_.unsubscribe(std::to_string(turn_), "end " + std::to_string(turn_));
  } else if (turner_.has_receipt("end " + std::to_string(turn_))) {
    turning_ = false;
    turner_.subscribe(to, std::to_string(++turn_));
  }
}

bool Script::done() const {
  return of_topic_ == count && of_queue_ == count && publisher_.receipts.size() >= 2 * count &&
         packets_.received == packets_sent_;
}

void Script::publish_markers() {
  for (const std::string_view to : {"/topic/t0", "/topic/t1", "/topic/t2", "/topic/t3"})
    publisher_.send(to, model_.next_body(publisher_number, to, 0) + "marker");
}

void Script::drain_queues() {
  consumer_.subscribe("/queue/q0", "3");
  consumer_.subscribe("/queue/q1", "4");
  consumer_.subscribe("/queue/kept", "5");
  consumer_.subscribe("/queue/turns", "6");
}

bool Script::wait_until_empty(Duration limit) {
  for (const Instant end = hub_.world().now() + limit; hub_.world().now() < end;) {
    hub_.world().run_for(1s);
    if (hub_.bus_statistics().waiting_bytes == 0) return true;
  }
  return false;
}

void Script::leave() {
  for (SimStompClient* each : {&publisher_, &subscriber_, &consumer_, &turner_})
    each->disconnect("bye");
  hub_.until(
      [&] { return publisher_.ended && subscriber_.ended && consumer_.ended && turner_.ended; },
      10s);
  for (SimStompClient* each : {&publisher_, &subscriber_, &consumer_})
    each->close(CloseMode::graceful);
  packets_.close(CloseMode::graceful);
}

std::vector<std::string> Script::faults() const {
  std::vector<std::string> faults = faults_;
  for (const SimStompClient* each : {&publisher_, &subscriber_, &consumer_, &turner_}) {
    if (each->has_error)
      faults.push_back("a well-behaved client got an ERROR: " + each->error_message + ": " +
                       each->error_body);
    if (each->failed) faults.push_back("a well-behaved client lost its connection");
    if (each->closed && !each->has_receipt("bye")) faults.push_back("no receipt for DISCONNECT");
    if (!each->garbled.empty()) faults.push_back("the broker speaks no STOMP: " + each->garbled);
  }
  if (packets_.over()) faults.push_back("a well-behaved packet client lost its connection");
  return faults;
}

std::string Script::text() const {
  return fmt::format(
      "topic {} of {}, queue {} of {}, receipts {}, echo {} of {} bytes; ready {} {} {}; errors "
      "\"{}\" \"{}\" \"{}\"\n",
      of_topic_, count, of_queue_, count, publisher_.receipts.size(), packets_.received.size(),
      packets_sent_.size(), publisher_.logged_in, subscriber_.receipts.size(),
      consumer_.receipts.size(), publisher_.error_message, subscriber_.error_message,
      consumer_.error_message);
}

}  // namespace hawser::soak
