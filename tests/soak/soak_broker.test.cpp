// The broker beside its model: whole days over STOMP in simulated time, with queues, topics,
// durable subscriptions, dead letters, delays, ages, transactions, answers, full queues and crashes
// of the program. After each step everything that clients have seen must be what the model allows.
#include "support/broker_stage.hpp"

#include <hawser/engine/sim/seeds.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hawser::soak {
namespace {

using Action = ModelAction;

class Day : public BrokerStage {
 public:
  explicit Day(sim::World& world) : BrokerStage(world) {}

  void run() {
    std::string story;
    for (int step = 0; step < 70; ++step) {
      last_.clear();
      act();
      settle();
      story += std::to_string(step) + " " + last_ + "\n";
      if (model.faults.empty() && !::testing::Test::HasFailure()) continue;
      for (const auto& fault : model.faults) ADD_FAILURE() << fault;
      ADD_FAILURE() << "The day until then:\n" << story;
      return;
    }
    if (storing_) {
      EXPECT_TRUE(store_->faults().empty()) << store_->faults().front();
    }
  }

 private:
  void crash() {
    // One more is under way: it is there afterwards, or not, unless it was confirmed.
    ModelMessage message = draw(true);
    message.persistent = true;
    Session& session = *sessions_.front();
    const bool sends = !model.waits(session.number);
    if (sends) {
      send_frame(session, "/queue/b", message, "last");
      world_.run_for(Duration(static_cast<std::int64_t>(random_.below(2'000'000))));
    }
    // Who takes it without a word may have had it.
    const bool taken = std::ranges::any_of(model.subscribers(), [](const auto& each) {
      return !each.second.topic && each.second.place == "b" && each.second.mode == 'a';
    });
    const bool confirmed = sends && !taken && session.client->has_receipt("last");
    fall();
    model.send(0, "b", message, "");
    model.crash();
    begin();
    // The program was away for a while: what fell due meanwhile does so now.
    const auto away = std::chrono::ceil<std::chrono::milliseconds>(world_.now() - epoch_).count();
    const std::int64_t next = (away / step_ms + 1) * step_ms;
    run_to(next);
    model.advance(next);
    for (auto& each : sessions_) settle_logins(*each);
    if (!confirmed) {
      Session& reader = *sessions_.front();
      send_browser(reader, "b", -1);
      world_.run_for(20ms);
      if (std::ranges::find(reader.browsed, message.id) == reader.browsed.end())
        model.forget("b", message.id);
      reader.browsed.clear();
    }
  }

  // ---- what they do
  // ----------------------------------------------------------------------------------

  std::string some_queue() {
    constexpr std::array<const char*, 8> names{"a",    "b",     "reject", "drop",
                                               "dead", "block", "old",    "again"};
    return names.at(random_.below(names.size()));
  }
  /// Their dead letters are not read: of several that die at once one may be given out before the
  /// next is there, whichever is more important.
  static bool has_priorities(std::string_view queue) { return queue == "b" || queue == "drop"; }
  std::string some_topic() {
    constexpr std::array<const char*, 4> names{"t.a", "t.b", "u.a", "u.a.x"};
    return names.at(random_.below(names.size()));
  }
  std::string some_pattern() {
    constexpr std::array<const char*, 6> names{"t.a", "t.*", "#", "*.a", "u.>", "*.a.#"};
    return names.at(random_.below(names.size()));
  }

  void send_queue(Session& session) {
    const std::string queue = some_queue();
    if (queue == "old" && !take_due(model.rules["old"].ttl)) return;
    ModelMessage message = draw(!has_priorities(queue));
    const auto later = static_cast<std::int64_t>(1 + random_.below(40)) * step_ms + due_ms;
    if (random_.below(6) == 0 && queue != "old" && take_due(later))
      message.expires = model.now + later;
    if (random_.below(8) == 0 && message.expires == 0 && queue != "old" && take_due(later))
      message.ready = model.now + later;
    const std::string name = receipt();
    last_ = "send " + std::to_string(message.id) + " to " + queue;
    send_frame(session, "/queue/" + queue, message, name);
    answered(session, model.send(session.number, queue, message, name), name);
  }

  void send_many(Session& session) {
    last_ = "send many";
    for (std::uint64_t count = 2 + random_.below(5); count > 0; --count) {
      const ModelMessage message = draw(true);
      const std::string name = receipt();
      send_frame(session, "/queue/a", message, name);
      answered(session, model.send(session.number, "a", message, name), name);
    }
  }

  void send_topic(Session& session) {
    const std::string topic = some_topic();
    ModelMessage message = draw();
    if (random_.below(5) == 0) message.retain = random_.below(3) == 0 ? 'r' : 's';
    const auto later = static_cast<std::int64_t>(1 + random_.below(40)) * step_ms + due_ms;
    const bool waits = model.durable_rules.overflow == Overflow::reject ||
                       model.durable_rules.overflow == Overflow::block;
    if (!waits && random_.below(6) == 0 && take_due(later)) message.ready = model.now + later;
    const std::string name = receipt();
    last_ = "publish " + std::to_string(message.id) + " to " + topic;
    send_frame(session, "/topic/" + topic, message, name);
    answered(session, model.publish(session.number, topic, message, name), name);
  }

  void subscribe(Session& session) {
    ModelSubscriber wanted;
    wanted.session = session.number;
    wanted.mode = std::string("aci").at(random_.below(3));
    if (random_.below(2) == 0) wanted.prefetch = 1 + random_.below(3);
    const int above = random_.below(3) == 0 ? static_cast<int>(random_.below(8)) : -1;
    const std::uint64_t number = session.number * 1'000 + ++last_subscription_;
    const std::string id = "s" + std::to_string(number);
    const std::string name = receipt();
    stomp::Frame frame{stomp::Command::subscribe};
    frame.add("id", id).add("receipt", name);
    frame.add("ack", wanted.mode == 'a'   ? "auto"
                     : wanted.mode == 'c' ? "client"
                                          : "client-individual");
    frame.add("prefetch-count", std::to_string(wanted.prefetch));
    if (above >= 0) frame.add("selector", "n > " + std::to_string(above));
    const std::uint64_t kind = random_.below(4);
    if (kind != 0) frame.add("include-seq", "at");
    switch (kind) {
      case 0: {
        wanted.topic = true;
        wanted.place = some_pattern();
        wanted.above = above;
        wanted.no_local = random_.below(4) == 0;
        if (wanted.no_local) frame.add("no-local", "true");
        frame.add("destination", "/topic/" + wanted.place);
        break;
      }
      case 1: {
        const std::string durable = random_.below(2) == 0 ? "d0" : "d1";
        const bool in_use = std::ranges::any_of(model.subscribers(), [&](const auto& each) {
          return !each.second.topic && each.second.place == durable;
        });
        if (in_use) return;
        const auto known = durables_.find(durable);
        if (known != durables_.end() && model.is_durable(durable)) {
          // The same wish again: another one would be refused.
          frame.remove("selector");
          if (known->second.second >= 0)
            frame.add("selector", "n > " + std::to_string(known->second.second));
        } else {
          durables_[durable] = {some_pattern(), above};
        }
        frame.add("durable-subscription-name", durable);
        frame.add("destination", "/topic/" + durables_[durable].first);
        model.make_durable(durable, durables_[durable].first, durables_[durable].second);
        wanted.place = durable;
        break;
      }
      default:
        wanted.above = above;
        wanted.place = some_queue();
        if (random_.below(4) == 0 && !has_priorities(wanted.place)) {
          frame.add("destination", "/dlq/" + wanted.place);
          wanted.place.insert(0, "dlq/");
        } else {
          frame.add("destination", "/queue/" + wanted.place);
        }
    }
    last_ = "subscribe " + std::to_string(number) + " to " + wanted.place;
    session.client->frame(frame);
    session.subscriptions[id] = number;
    session.owed.insert(name);
    model.subscribe(number, std::move(wanted));
  }

  void unsubscribe(Session& session) {
    if (session.subscriptions.empty()) return;
    auto chosen = session.subscriptions.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random_.below(session.subscriptions.size())));
    const auto [id, number] = *chosen;
    if (id.starts_with("/")) return;  // the answers'
    const std::string place = model.subscribers().at(number).place;
    const std::string name = receipt();
    stomp::Frame frame{stomp::Command::unsubscribe};
    frame.add("id", id).add("receipt", name);
    last_ = "unsubscribe " + std::to_string(number) + " from " + place;
    model.unsubscribe(number);
    session.subscriptions.erase(chosen);
    session.client->frame(frame);
    session.owed.insert(name);
    if (!model.is_durable(place) || random_.below(3) != 0) return;
    const std::string removed = receipt();
    stomp::Frame remove{stomp::Command::unsubscribe};
    remove.add("durable-subscription-name", place).add("receipt", removed);
    session.client->frame(remove);
    session.owed.insert(removed);
    model.remove_durable(place);
    forget_positions(place);
  }

  /// One of what it holds, and what an ACK of it settles.
  std::optional<Action> draw_settlement(const Session& session) {
    std::vector<std::uint64_t> numbers;
    for (const auto& [id, number] : session.subscriptions)
      if (!model.subscribers().at(number).held.empty()) numbers.push_back(number);
    if (numbers.empty()) return std::nullopt;
    Action action;
    action.subscriber = numbers[random_.below(numbers.size())];
    const ModelSubscriber& subscriber = model.subscribers().at(action.subscriber);
    const std::size_t at = random_.below(subscriber.held.size());
    const auto chosen = subscriber.held.begin() + static_cast<std::ptrdiff_t>(at);
    action.ids.assign(subscriber.mode == 'c' ? subscriber.held.begin() : chosen, chosen + 1);
    const std::uint64_t kind = random_.below(5);
    action.kind = kind == 0   ? Action::Kind::give_back
                  : kind == 1 ? Action::Kind::reject
                              : Action::Kind::accept;
    if (subscriber.place == "again" && action.kind == Action::Kind::give_back &&
        !take_due(model.rules["again"].requeue_delay))
      action.kind = Action::Kind::accept;
    return action;
  }
  stomp::Frame settlement_frame(const Session& session, const Action& action) {
    const bool ack = action.kind == Action::Kind::accept;
    stomp::Frame frame{ack ? stomp::Command::ack : stomp::Command::nack};
    const std::string& id = session.acks.at({action.subscriber, action.ids.back()});
    if (session.version == stomp::Version::v1_2) {
      frame.add("id", id);
    } else {
      frame.add("message-id", id).add("subscription", "s" + std::to_string(action.subscriber));
    }
    if (action.kind == Action::Kind::reject) frame.add("requeue", "false");
    return frame;
  }
  void settle_some(Session& session) {
    const auto action = draw_settlement(session);
    if (!action) return;
    const std::string name = receipt();
    last_ = "settle " + std::to_string(action->ids.back()) + " of " +
            std::to_string(action->subscriber);
    session.client->frame(settlement_frame(session, *action).add("receipt", name));
    session.owed.insert(name);
    model.settle(action->subscriber, action->ids, action->kind);
  }

  void transact(Session& session) {
    const std::string name = receipt();
    last_ = "transaction " + name;
    stomp::Frame begin{stomp::Command::begin};
    session.client->frame(begin.add("transaction", name));
    std::vector<Action> actions;
    std::set<std::string> used;
    if (auto settlement = draw_settlement(session)) {
      session.client->frame(settlement_frame(session, *settlement).add("transaction", name));
      used.insert(model.subscribers().at(settlement->subscriber).place);
      actions.push_back(std::move(*settlement));
    }
    for (std::uint64_t count = 1 + random_.below(4); count > 0; --count) {
      Action action;
      action.message = draw(true);
      const bool topic = random_.below(3) == 0;
      (topic ? action.topic : action.queue) = topic ? some_topic() : some_queue();
      // Where something must make room, what has been given out already does not: one each.
      const std::string place = topic ? "topics" : action.queue;
      if (place == "old" || (!used.insert(place).second && place != "a")) continue;
      send_frame(session, topic ? "/topic/" + action.topic : "/queue/" + action.queue,
                 action.message, "", "transaction", name);
      actions.push_back(std::move(action));
    }
    const bool commits = random_.below(4) != 0;
    last_ += commits ? " commits" : " aborts";
    for (const Action& each : actions)
      last_ += ", " + (each.kind == Action::Kind::send
                           ? std::to_string(each.message.id) + " to " + each.queue + each.topic
                           : std::to_string(static_cast<int>(each.kind)) + " " +
                                 std::to_string(each.ids.back()) + " of " +
                                 std::to_string(each.subscriber));
    stomp::Frame end{commits ? stomp::Command::commit : stomp::Command::abort};
    session.client->frame(end.add("transaction", name).add("receipt", name));
    answered(session, commits ? model.commit(session.number, actions) : BrokerModel::Answer::done,
             name);
  }

  void ask(Session& session) {
    const ModelMessage message = draw(true);
    const std::string name = receipt();
    last_ = "ask";
    if (session.subscriptions.try_emplace("/temp-queue/x", session.number * 1'000).second) {
      ModelSubscriber answers;
      answers.session = session.number;
      answers.place = "answers of " + std::to_string(session.number);
      model.subscribe(session.number * 1'000, answers);
    }
    send_frame(session, "/queue/a", message, name, "reply-to", "/temp-queue/x");
    answered(session, model.send(session.number, "a", message, name), name);
  }
  void answer(Session& session) {
    if (answers_.empty()) return;
    const std::string to = answers_[random_.below(answers_.size())];
    ModelMessage message = draw(true);
    message.persistent = false;
    const std::string name = receipt();
    last_ = "answer " + std::to_string(message.id);
    // Whoever it is that hears it: the one whose queue has that name, if it is still there.
    const auto known = names_.try_emplace(to, 0).first;
    send_frame(session, to, message, name);
    session.owed.insert(name);
    world_.run_for(20ms);
    for (const auto& each : sessions_) {
      const auto found = each->subscriptions.find("/temp-queue/x");
      if (found == each->subscriptions.end() || !each->acks.contains({found->second, message.id}))
        continue;
      if (known->second != 0 && known->second != each->number)
        model.faults.push_back(to + " is answered to two");
      known->second = each->number;
      model.send(session.number, "answers of " + std::to_string(each->number), message, "");
      return;
    }
    // Nobody: then whose it was has gone.
    for (const auto& each : sessions_)
      if (known->second == each->number) model.faults.push_back("an answer to " + to + " is lost");
  }

  void browse(Session& session) {
    const std::string queue = some_queue();
    const int above = random_.below(3) == 0 ? static_cast<int>(random_.below(8)) : -1;
    last_ = "browse " + queue;
    send_browser(session, queue, above);
    world_.run_for(20ms);
    EXPECT_TRUE(session.browse_ended) << last_;
    EXPECT_EQ(session.browsed, model.browse(queue, above)) << last_;
  }

  void leave(Session& session) {
    last_ = "session " + std::to_string(session.number) + " leaves";
    // Its goodbye is answered when all it has asked for is.
    if (session.waits.empty() && random_.below(2) == 0) {
      session.client->disconnect("bye");
      EXPECT_TRUE(world_.run_until([&] { return session.client->has_receipt("bye"); }, 1s));
    } else {
      session.client->close(CloseMode::reset);
    }
    lose(session);
  }

  void act() {
    if (sessions_.size() < 2) connect();
    if (random_.below(12) == 0 && sessions_.size() < 4) connect();
    if (storing_ && random_.below(40) == 0) {
      last_ = "crash";
      return crash();
    }
    Session* const session = some_session();
    if (session == nullptr) {
      // Whoever is not read is not seen to go, either.
      if (sessions_.size() < 6) connect();
      return;
    }
    switch (random_.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return send_queue(*session);
      case 4:
        return send_many(*session);
      case 5:
      case 6:
        return send_topic(*session);
      case 7:
      case 8:
      case 9:
        return subscribe(*session);
      case 10:
        return unsubscribe(*session);
      case 11:
      case 12:
      case 13:
        return settle_some(*session);
      case 14:
      case 15:
        return transact(*session);
      case 16:
        return ask(*session);
      case 17:
        return answer(*session);
      case 18:
        return browse(*session);
      default:
        if (random_.below(3) == 0) leave(*session);
    }
  }

  std::map<std::string, std::pair<std::string, int>> durables_;
  std::map<std::string, std::uint64_t> names_;  // of answers' queues: the session that hears them
  std::uint64_t last_subscription_ = 0;
};

TEST(SoakBroker, AgreesWithTheModel) {
  BrokerModel::Coverage all;
  const auto report =
      sim::for_each_seed(HAWSER_SOAK_SEEDS / 5,
                         [&](sim::World& world) {
                           Day day(world);
                           day.run();
                           all.add(day.model.coverage);
                         },
                         {.has_failed = [] { return ::testing::Test::HasFailure(); },
                          .arguments = "--gtest_filter=SoakBroker.AgreesWithTheModel"});
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
  RecordProperty("delivered", std::to_string(all.delivered));
  if (report.runs < 20) return;
  // A soak in which one of these never happens tests nothing.
  for (const std::uint64_t each : {all.delivered, all.redelivered, all.dead, all.expired,
                                   all.dropped, all.waited, all.refused, all.topical, all.survived})
    EXPECT_GT(each, report.runs / 20);
}

}  // namespace
}  // namespace hawser::soak
