// How the hub is started and its clients heard, and what they must have heard by the end of a step.
#include "broker_stage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace hawser::soak {
namespace {

std::uint64_t number_of(BytesView text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void frame_headers(stomp::Frame& frame, const ModelMessage& message, std::int64_t now) {
  frame.add("n", std::to_string(message.number));
  if (message.priority != 4) frame.add("priority", std::to_string(message.priority));
  if (message.persistent) frame.add("persistent", "true");
  if (message.expires != 0) frame.add("ttl", std::to_string(message.expires - now));
  if (message.ready != 0) frame.add("delay", std::to_string(message.ready - now));
  if (message.retain != 0) frame.add("retain", message.retain == 's' ? "set" : "remove");
  frame.body = Payload(std::to_string(message.id));
}

}  // namespace

BrokerStage::BrokerStage(sim::World& world)
    : world_(world), random_(world.random()), epoch_(world.now()) {
  const std::array<Overflow, 4> all{Overflow::reject, Overflow::drop_oldest, Overflow::dead_letter,
                                    Overflow::block};
  model.durable_rules.limit = 5;
  model.durable_rules.overflow = all.at(random_.below(4));
  model.rules["reject"] = {.limit = 4};
  model.rules["drop"] = {.limit = 4, .overflow = Overflow::drop_oldest};
  model.rules["dead"] = {.limit = 4, .overflow = Overflow::dead_letter};
  model.rules["block"] = {.limit = 3, .overflow = Overflow::block};
  model.rules["old"] = {.ttl = 2'000 + due_ms, .expired_to_dead_letters = true};
  model.rules["again"] = {.requeue_delay = 500 + due_ms};
  storing_ = random_.below(4) != 0;
  begin();
}

// ---- the program
// --------------------------------------------------------------------------------------

void BrokerStage::begin() {
  hub_.emplace(world_, 1 + static_cast<unsigned>(random_.below(3)));
  hub::HubOptions options;
  options.packet.reset();
  if (storing_) options.bus.store = store_;
  const auto translate = [](const ModelRules& rules) {
    bus::QueueOptions queue;
    queue.messages = static_cast<std::uint32_t>(rules.limit);
    queue.deliveries = rules.deliveries;
    queue.requeue_delay = std::chrono::milliseconds(rules.requeue_delay);
    queue.message_ttl = std::chrono::milliseconds(rules.ttl);
    queue.dead_letter_expired = rules.expired_to_dead_letters;
    const std::map<Overflow, bus::QueueOverflow> words{
        {Overflow::reject, bus::QueueOverflow::reject},
        {Overflow::drop_oldest, bus::QueueOverflow::drop_oldest},
        {Overflow::dead_letter, bus::QueueOverflow::dead_letter},
        {Overflow::block, bus::QueueOverflow::block}};
    queue.overflow = words.at(rules.overflow);
    return queue;
  };
  for (const auto& [name, rules] : model.rules)
    options.bus.queue_rules.push_back({name, translate(rules)});
  for (const char* usual : {"a", "b", "dlq/#", "reply/#"})
    options.bus.queue_rules.push_back({usual, translate({})});
  options.bus.queue = translate(model.durable_rules);
  options.durable_overflow = options.bus.queue.overflow;
  at_ = *hub_->start_hub(options).stomp;
  ++life_;
  for (int i = 0; i < 2; ++i) connect();
}

void BrokerStage::end() {
  sessions_.clear();
  hub_.reset();
}

void BrokerStage::fall() {
  sessions_.clear();
  world_.host("hub").crash();
  hub_.reset();
  world_.host("hub").restart();
  // What is not on disk may begin to count anew.
  placed_.clear();
}

// ---- clients
// ------------------------------------------------------------------------------------------

void BrokerStage::connect() {
  auto made = std::make_unique<Session>();
  Session& session = *made;
  session.number = ++last_session_;
  if (random_.below(3) == 0) session.version = stomp::Version::v1_1;
  session.client = std::make_unique<SimStompClient>(
      hub_->peers_on("peers" + std::to_string(life_)), at_,
      StompClientOptions{.version = session.version, .pipelines = true});
  session.client->on_message = [this, &session](const stomp::FrameView& frame) {
    message(session, frame);
  };
  session.client->on_error = [&session](std::string_view) { session.refused = true; };
  sessions_.push_back(std::move(made));
}

void BrokerStage::settle_logins(Session& session) {
  EXPECT_TRUE(world_.run_until([&] { return session.client->logged_in; }, 1s));
}

BrokerStage::Session* BrokerStage::some_session() {
  std::vector<Session*> free;
  for (const auto& each : sessions_)
    if (!model.waits(each->number)) free.push_back(each.get());
  return free.empty() ? nullptr : free[random_.below(free.size())];
}

void BrokerStage::message(Session& session, const stomp::FrameView& frame) {
  const std::string id(frame.first("subscription").value_or(""));
  if (id == "browser") {
    if (frame.first("browser")) {
      session.browse_ended = true;
    } else {
      session.browsed.push_back(number_of(frame.body()));
    }
    return;
  }
  const auto found = session.subscriptions.find(id);
  if (found == session.subscriptions.end()) {
    model.faults.push_back("a message for no subscription: " + id);
    return;
  }
  const std::uint64_t message = number_of(frame.body());
  const auto ack =
      frame.first(session.version == stomp::Version::v1_2 ? "ack" : "message-id").value_or("");
  session.acks[{found->second, message}] = std::string(ack);
  if (const auto reply = frame.first("reply-to"))
    if (reply->starts_with("/reply-queue/")) answers_.emplace_back(*reply);
  if (const auto position = frame.first("at"))
    note_position(model.subscribers().at(found->second).place, message, *position);
  model.seen(found->second, message, frame.first("redelivered") == "true",
             static_cast<std::uint32_t>(number_of(frame.first("delivery-count").value_or("1"))));
}

/// A message stays where it is, and nobody else is there.
void BrokerStage::note_position(const std::string& place, std::uint64_t message,
                                BytesView position) {
  const std::uint64_t number = number_of(position);
  const auto known = positions_.try_emplace({place, message}, number).first;
  const auto other = placed_.try_emplace({place, number}, message).first;
  if (number == 0 || known->second != number || other->second != message)
    model.faults.push_back(std::to_string(message) + " of " + place + " is at " +
                           std::string(position));
}

void BrokerStage::forget_positions(const std::string& place) {
  for (auto* const each : {&positions_, &placed_})
    std::erase_if(*each, [&](const auto& entry) { return entry.first.first == place; });
}

void BrokerStage::expect_refusal(Session& session) {
  EXPECT_TRUE(world_.run_until([&] { return session.client->over(); }, 1s)) << last_;
  EXPECT_TRUE(session.refused) << last_;
  lose(session);
}

void BrokerStage::lose(Session& session) {
  model.session_ends(session.number);
  std::erase_if(sessions_, [&](const auto& each) { return each.get() == &session; });
}

void BrokerStage::answered(Session& session, BrokerModel::Answer answer,
                           const std::string& receipt) {
  if (answer == BrokerModel::Answer::refused) return expect_refusal(session);
  (answer == BrokerModel::Answer::waits ? session.waits : session.owed).insert(receipt);
}

// ---- frames
// -------------------------------------------------------------------------------------------

ModelMessage BrokerStage::draw(bool plain) {
  ModelMessage message;
  message.id = ++last_message_;
  message.number = static_cast<int>(random_.below(10));
  message.persistent = random_.below(2) == 0;
  if (plain) return message;
  if (random_.below(3) == 0) message.priority = static_cast<int>(random_.below(10));
  return message;
}

void BrokerStage::send_frame(Session& session, const std::string& destination,
                             const ModelMessage& message, const std::string& receipt,
                             const std::string& more, const std::string& value) {
  stomp::Frame frame{stomp::Command::send};
  frame.add("destination", destination);
  if (!receipt.empty()) frame.add("receipt", receipt);
  if (!more.empty()) frame.add(more, value);
  frame_headers(frame, message, model.now);
  session.client->frame(frame);
}

void BrokerStage::send_browser(Session& session, const std::string& queue, int above) {
  stomp::Frame frame{stomp::Command::subscribe};
  frame.add("id", "browser").add("destination", "/queue/" + queue).add("browser", "true");
  if (above >= 0) frame.add("selector", "n > " + std::to_string(above));
  session.browsed.clear();
  session.browse_ended = false;
  session.client->frame(frame);
}

// ---- steps
// --------------------------------------------------------------------------------------------

/// What must have come by now has, and nothing that must not.
void BrokerStage::look() {
  model.settle_step();
  for (auto& [number, receipt] : model.released())
    for (const auto& each : sessions_)
      if (each->number == number) each->waits.erase(receipt), each->owed.insert(receipt);
  for (const auto& each : sessions_) {
    const std::string who = "session " + std::to_string(each->number);
    for (const auto& receipt : each->waits)
      if (each->client->has_receipt(receipt)) model.faults.push_back(who + " has " + receipt);
    for (const auto& receipt : std::exchange(each->owed, {}))
      if (!each->client->has_receipt(receipt))
        model.faults.push_back(who + " lacks " + receipt + " " + each->client->error_body);
    if (each->refused) model.faults.push_back(who + ": " + each->client->error_body);
    if (!each->client->garbled.empty()) model.faults.push_back(each->client->garbled);
  }
}

void BrokerStage::settle() {
  run_to(model.now + step_ms / 2);
  look();
  model.advance(model.now + step_ms);
  run_to(model.now);
  look();
}

void BrokerStage::run_to(std::int64_t at) {
  const Duration left = epoch_ + std::chrono::milliseconds(at) - world_.now();
  EXPECT_GE(left.count(), 0) << last_ << " took too long";
  world_.run_for(left);
}

}  // namespace hawser::soak
