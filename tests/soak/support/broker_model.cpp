// Slow and plain on purpose: whoever reads it must believe it.
#include "broker_model.hpp"

#include <algorithm>
#include <utility>

namespace hawser::soak {

bool model_matches(std::string_view pattern, std::string_view name) {
  const auto word = [](std::string_view& text) {
    const std::string_view first = text.substr(0, text.find('.'));
    text.remove_prefix(std::min(first.size() + 1, text.size()));
    return first;
  };
  while (!pattern.empty() && !name.empty()) {
    const std::string_view wanted = word(pattern);
    if (wanted == "#" || wanted == ">") return true;
    if (const std::string_view is = word(name); wanted != "*" && wanted != is) return false;
  }
  return name.empty() && (pattern.empty() || pattern == "#" || pattern == ">");
}

void BrokerModel::Coverage::add(const Coverage& other) {
  for (const auto member : {&Coverage::delivered, &Coverage::redelivered, &Coverage::dead,
                            &Coverage::expired, &Coverage::dropped, &Coverage::waited,
                            &Coverage::refused, &Coverage::topical, &Coverage::survived})
    this->*member += other.*member;
}

void BrokerModel::fault(std::uint64_t number, std::uint64_t id, const std::string& what) {
  const auto found = subscribers_.find(number);
  faults.push_back("message " + std::to_string(id) + " to " + std::to_string(number) + " (" +
                   (found == subscribers_.end() ? "gone" : found->second.place) + "): " + what);
}

// ---- queues
// -------------------------------------------------------------------------------------------

const ModelRules& BrokerModel::rules_of(const std::string& queue) const {
  static const ModelRules usual;
  if (durables_.contains(queue)) return durable_rules;
  const auto found = rules.find(queue);
  return found == rules.end() ? usual : found->second;
}

void BrokerModel::push(const std::string& queue, const ModelMessage& message) {
  const std::int64_t ttl = rules_of(queue).ttl;
  Item item{.message = message, .ready_at = message.ready, .expires = message.expires};
  if (ttl != 0 && (item.expires == 0 || now + ttl < item.expires)) item.expires = now + ttl;
  Queue& into = queues_[queue];
  into.items.emplace(++into.last, item);
}

/// What must go for one more goes; false when nothing can.
bool BrokerModel::make_room(const std::string& queue) {
  const ModelRules& what = rules_of(queue);
  Queue& full = queues_[queue];
  if (full.items.size() < what.limit) return true;
  if (what.overflow == ModelRules::Overflow::reject) return false;
  if (what.overflow == ModelRules::Overflow::block) return full.items.size() < 2 * what.limit;
  std::uint64_t least = 0;
  for (const auto& [sequence, item] : full.items) {
    if (item.holder != 0 || item.ready_at > now) continue;
    if (least == 0 || item.message.priority < full.items.at(least).message.priority)
      least = sequence;
  }
  if (least == 0) return false;
  if (what.overflow == ModelRules::Overflow::dead_letter) {
    kill(queue, least);
  } else {
    full.items.erase(least);
    ++coverage.dropped;
  }
  return true;
}

BrokerModel::Answer BrokerModel::send(std::uint64_t session, const std::string& queue,
                                      ModelMessage message, const std::string& receipt) {
  if (!make_room(queue)) {
    ++coverage.refused;
    return Answer::refused;
  }
  const bool over = queues_[queue].items.size() >= rules_of(queue).limit;
  push(queue, message);
  if (!over) return Answer::done;
  ++coverage.waited;
  queues_[queue].waiters.push_back({session, receipt, !consumes(session, queue)});
  return Answer::waits;
}

void BrokerModel::kill(const std::string& queue, std::uint64_t sequence) {
  Queue& from = queues_[queue];
  ModelMessage message = from.items.at(sequence).message;
  from.items.erase(sequence);
  if (queue.starts_with("dlq/")) {
    ++coverage.dropped;
    return;
  }
  ++coverage.dead;
  message.expires = 0;
  message.ready = 0;
  push("dlq/" + queue, message);
}

void BrokerModel::give_back(const std::string& queue, std::uint64_t sequence, bool wait) {
  Item& item = queues_[queue].items.at(sequence);
  item.holder = 0;
  item.redelivered = true;
  if (item.deliveries >= rules_of(queue).deliveries) return kill(queue, sequence);
  item.stored_deliveries = item.deliveries;
  if (wait && rules_of(queue).requeue_delay != 0)
    item.ready_at = now + rules_of(queue).requeue_delay;
}

void BrokerModel::release(const std::string& queue) {
  Queue& maybe = queues_[queue];
  if (maybe.items.size() >= rules_of(queue).limit) return;
  for (Waiter& each : std::exchange(maybe.waiters, {})) {
    const auto same = [&each](const Waiter& other) {
      return other.session == each.session && other.receipt == each.receipt;
    };
    // It may wait for another one, too.
    if (!each.receipt.empty() && std::ranges::none_of(queues_, [&](const auto& other) {
          return std::ranges::any_of(other.second.waiters, same);
        }))
      released_.emplace_back(each.session, std::move(each.receipt));
  }
}

std::vector<std::pair<std::uint64_t, std::string>> BrokerModel::released() {
  return std::exchange(released_, {});
}

bool BrokerModel::waits(std::uint64_t session) const {
  for (const auto& [name, queue] : queues_)
    for (const Waiter& each : queue.waiters)
      if (each.session == session && each.held) return true;
  return false;
}

std::vector<std::uint64_t> BrokerModel::browse(const std::string& queue, int above) const {
  std::vector<std::uint64_t> all;
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return all;
  for (int priority = 9; priority >= 0; --priority)
    for (const auto& [sequence, item] : found->second.items)
      if (item.holder == 0 && item.ready_at <= now && item.message.priority == priority &&
          item.message.number > above)
        all.push_back(item.message.id);
  return all;
}

std::size_t BrokerModel::waiting_in(const std::string& queue) const {
  const auto found = queues_.find(queue);
  return found == queues_.end() ? 0 : found->second.items.size();
}

void BrokerModel::forget(const std::string& queue, std::uint64_t id) {
  std::erase_if(queues_[queue].items,
                [id](const auto& each) { return each.second.message.id == id; });
}

// ---- topics
// -------------------------------------------------------------------------------------------

BrokerModel::Answer BrokerModel::publish(std::uint64_t session, const std::string& topic,
                                         ModelMessage message, const std::string& receipt) {
  if (message.ready > now) {
    delayed_.push_back({topic, message});
    return Answer::done;
  }
  for (const std::string& place : durables_for(topic, message)) {
    const std::size_t there = queues_[place].items.size();
    using Overflow = ModelRules::Overflow;
    if ((durable_rules.overflow == Overflow::reject && there >= durable_rules.limit) ||
        (durable_rules.overflow == Overflow::block && there >= 2 * durable_rules.limit)) {
      ++coverage.refused;
      return Answer::refused;
    }
  }
  return route(session, topic, message, receipt) ? Answer::waits : Answer::done;
}

std::vector<std::string> BrokerModel::durables_for(const std::string& topic,
                                                   const ModelMessage& message) const {
  std::vector<std::string> places;
  for (const auto& [place, durable] : durables_)
    if (model_matches(durable.pattern, topic) && message.number > durable.above)
      places.push_back(place);
  return places;
}

/// True when the publisher is to wait for a durable subscription.
bool BrokerModel::route(std::uint64_t session, const std::string& topic,
                        const ModelMessage& message, const std::string& receipt, bool promised) {
  std::vector<std::string> over;
  if (message.retain == 's') retained_[topic] = message;
  if (message.retain == 'r') retained_.erase(topic);
  for (const std::string& place : durables_for(topic, message)) {
    if (!make_room(place) && !promised) continue;
    if (queues_[place].items.size() >= durable_rules.limit) over.push_back(place);
    ModelMessage put = message;
    put.ready = 0;
    push(place, put);
  }
  for (auto& [number, each] : subscribers_)
    if (each.topic && model_matches(each.place, topic) && message.number > each.above &&
        !(each.no_local && each.session == session))
      offer(each, message.id);
  bool held = true;
  for (const std::string& place : over) held = held && !consumes(session, place);
  for (const std::string& place : over) queues_[place].waiters.push_back({session, receipt, held});
  coverage.waited += over.empty() ? 0U : 1U;
  return !over.empty();
}

bool BrokerModel::consumes(std::uint64_t session, const std::string& place) const {
  return std::ranges::any_of(subscribers_, [&](const auto& each) {
    return !each.second.topic && each.second.place == place && each.second.session == session;
  });
}

void BrokerModel::offer(ModelSubscriber& subscriber, std::uint64_t id) {
  subscriber.waiting.push_back(id);
  pump(subscriber);
}

void BrokerModel::pump(ModelSubscriber& subscriber) {
  while (!subscriber.waiting.empty() && has_room(subscriber)) {
    const std::uint64_t id = subscriber.waiting.front();
    subscriber.waiting.pop_front();
    subscriber.expected.push_back(id);
    if (subscriber.mode != 'a') subscriber.held.push_back(id);
  }
}

void BrokerModel::judge_topics() {
  for (auto& [number, each] : subscribers_) {
    if (!each.topic) continue;
    for (const Sight& sight : std::exchange(sights_[number], {})) {
      ++coverage.topical;
      if (sight.redelivered || sight.count > 1) fault(number, sight.id, "redelivered by a topic");
      if (each.expected.empty() || each.expected.front() != sight.id) {
        fault(number, sight.id, "not what comes next");
        each.expected.clear();
        break;
      }
      each.expected.pop_front();
    }
    for (const std::uint64_t id : std::exchange(each.expected, {})) fault(number, id, "is missing");
  }
}

// ---- subscriptions
// ------------------------------------------------------------------------------------

void BrokerModel::subscribe(std::uint64_t number, ModelSubscriber subscriber) {
  const bool topic = subscriber.topic;
  ModelSubscriber& added = subscribers_.emplace(number, std::move(subscriber)).first->second;
  if (!topic) return;
  for (const auto& [name, message] : retained_)
    if (model_matches(added.place, name) && message.number > added.above) offer(added, message.id);
}

void BrokerModel::make_durable(const std::string& place, const std::string& pattern, int above) {
  durables_.try_emplace(place, Durable{pattern, above});
}
void BrokerModel::remove_durable(const std::string& place) {
  // Who waited for room there waits for nothing any more.
  queues_[place].items.clear();
  release(place);
  durables_.erase(place);
  queues_.erase(place);
}

void BrokerModel::unsubscribe(std::uint64_t number) {
  const auto found = subscribers_.find(number);
  if (found == subscribers_.end()) return;
  const ModelSubscriber gone = std::move(found->second);
  subscribers_.erase(found);
  sights_.erase(number);
  if (gone.topic) return;
  std::vector<std::uint64_t> back;
  for (const std::uint64_t id : gone.held)
    for (const auto& [sequence, item] : queues_[gone.place].items)
      if (item.message.id == id && item.holder == number) back.push_back(sequence);
  for (const std::uint64_t sequence : back) give_back(gone.place, sequence, false);
}

void BrokerModel::session_ends(std::uint64_t session) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, each] : subscribers_)
    if (each.session == session) numbers.push_back(number);
  for (const std::uint64_t number : numbers) unsubscribe(number);
  for (auto& [name, queue] : queues_)
    std::erase_if(queue.waiters, [session](const Waiter& each) { return each.session == session; });
}

void BrokerModel::settle(std::uint64_t number, const std::vector<std::uint64_t>& ids,
                         ModelAction::Kind kind) {
  ModelSubscriber& subscriber = subscribers_.at(number);
  for (const std::uint64_t id : ids) {
    std::erase(subscriber.held, id);
    if (subscriber.topic) continue;
    auto& items = queues_[subscriber.place].items;
    const auto item = std::ranges::find_if(items, [&](const auto& each) {
      return each.second.message.id == id && each.second.holder == number;
    });
    if (item == items.end()) {
      fault(number, id, "settled, and not its own");
      continue;
    }
    if (kind == ModelAction::Kind::accept) {
      items.erase(item);
    } else if (kind == ModelAction::Kind::reject) {
      kill(subscriber.place, item->first);
    } else {
      give_back(subscriber.place, item->first, true);
    }
  }
  if (subscriber.topic) pump(subscriber);
}

BrokerModel::Answer BrokerModel::commit(std::uint64_t session,
                                        const std::vector<ModelAction>& actions) {
  // Room is asked for before anything is settled.
  std::map<std::string, std::size_t> more;
  for (const ModelAction& each : actions) {
    if (each.kind != ModelAction::Kind::send) continue;
    std::vector<std::string> places{each.queue};
    if (each.queue.empty())
      places = each.message.ready > now ? std::vector<std::string>{}
                                        : durables_for(each.topic, each.message);
    for (const std::string& place : places) {
      const ModelRules& what = rules_of(place);
      const std::size_t wanted = ++more[place];
      using Overflow = ModelRules::Overflow;
      const bool makes_room =
          what.overflow == Overflow::drop_oldest || what.overflow == Overflow::dead_letter;
      if (makes_room && each.queue.empty()) continue;  // it stops nobody
      const std::size_t there = makes_room ? 0 : queues_[place].items.size();
      if (there + wanted <= (what.overflow == Overflow::block ? 2 : 1) * what.limit) continue;
      ++coverage.refused;
      return Answer::refused;
    }
  }
  for (const ModelAction& each : actions)
    if (each.kind != ModelAction::Kind::send) settle(each.subscriber, each.ids, each.kind);
  for (const ModelAction& each : actions) {
    if (each.kind != ModelAction::Kind::send) continue;
    if (!each.topic.empty()) {
      if (each.message.ready > now) {
        delayed_.push_back({each.topic, each.message});
      } else {
        route(session, each.topic, each.message, "", true);
      }
    } else if (make_room(each.queue)) {
      const bool over = queues_[each.queue].items.size() >= rules_of(each.queue).limit;
      push(each.queue, each.message);
      if (over)
        queues_[each.queue].waiters.push_back({session, "", !consumes(session, each.queue)});
    } else {
      push(each.queue, each.message);
    }
  }
  return Answer::done;
}

// ---- time
// ---------------------------------------------------------------------------------------------

void BrokerModel::advance(std::int64_t to) {
  now = to;
  std::multimap<std::int64_t, Delayed> due;  // in the order of time, then of coming
  std::erase_if(delayed_, [&](const Delayed& each) {
    if (each.message.ready > now) return false;
    due.emplace(each.message.ready, each);
    return true;
  });
  for (const auto& [at, each] : due) route(0, each.topic, each.message, "");
  std::vector<std::string> names;
  for (const auto& [name, queue] : queues_) names.push_back(name);
  for (const std::string& name : names) {
    std::vector<std::uint64_t> expired;
    for (const auto& [sequence, item] : queues_[name].items)
      if (item.holder == 0 && item.ready_at <= now && item.expires != 0 && item.expires <= now)
        expired.push_back(sequence);
    for (const std::uint64_t sequence : expired) {
      ++coverage.expired;
      if (rules_of(name).expired_to_dead_letters) {
        kill(name, sequence);
      } else {
        queues_[name].items.erase(sequence);
      }
    }
  }
}

void BrokerModel::crash() {
  subscribers_.clear();
  sights_.clear();
  released_.clear();
  std::erase_if(retained_, [](const auto& each) { return !each.second.persistent; });
  std::erase_if(delayed_, [](const auto& each) { return !each.message.persistent; });
  for (auto& [name, queue] : queues_) {
    queue.waiters.clear();
    std::erase_if(queue.items, [](const auto& each) { return !each.second.message.persistent; });
    for (auto& [sequence, item] : queue.items) {
      ++coverage.survived;
      item.holder = 0;
      item.redelivered = true;
      item.deliveries = item.stored_deliveries;
      item.ready_at = item.message.ready;
    }
  }
}

// ---- what was seen
// ------------------------------------------------------------------------------------

void BrokerModel::seen(std::uint64_t number, std::uint64_t id, bool redelivered,
                       std::uint32_t count) {
  sights_[number].push_back({id, redelivered, count});
}

bool BrokerModel::has_room(const ModelSubscriber& subscriber) const {
  return subscriber.mode == 'a' || subscriber.held.size() < subscriber.prefetch;
}

bool BrokerModel::suits(const Item& item, const ModelSubscriber& subscriber) const {
  return item.holder == 0 && item.ready_at <= now && item.message.number > subscriber.above;
}

std::uint64_t BrokerModel::first_for(const Queue& queue, const ModelSubscriber& subscriber) const {
  std::uint64_t first = 0;
  for (const auto& [sequence, item] : queue.items)
    if (suits(item, subscriber) &&
        (first == 0 || item.message.priority > queue.items.at(first).message.priority))
      first = sequence;
  return first;
}

/// True when this sight is what the consumer may have now; then it has it.
bool BrokerModel::take(std::uint64_t number, ModelSubscriber& subscriber, const Sight& sight) {
  Queue& queue = queues_[subscriber.place];
  if (!has_room(subscriber)) return false;
  const std::uint64_t first = first_for(queue, subscriber);
  if (first == 0 || queue.items.at(first).message.id != sight.id) return false;
  Item& item = queue.items.at(first);
  ++item.deliveries;
  ++coverage.delivered;
  coverage.redelivered += item.redelivered ? 1U : 0U;
  if (sight.redelivered != (item.redelivered || item.deliveries > 1))
    fault(number, sight.id, "redelivered is wrong");
  if (sight.redelivered && sight.count != item.deliveries)
    fault(number, sight.id,
          "counted " + std::to_string(sight.count) + ", not " + std::to_string(item.deliveries));
  if (subscriber.mode == 'a') {
    queue.items.erase(first);
  } else {
    item.holder = number;
    subscriber.held.push_back(sight.id);
  }
  return true;
}

void BrokerModel::settle_step() {
  advance(now);  // what came back too late
  judge_topics();
  // In which order several consumers were served cannot be seen from outside: any will do in which
  // each gets what it saw, in its own order.
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& [number, subscriber] : subscribers_) {
      if (subscriber.topic) continue;
      auto& sights = sights_[number];
      while (!sights.empty() && take(number, subscriber, sights.front())) {
        sights.pop_front();
        changed = true;
      }
    }
  }
  for (auto& [number, sights] : sights_)
    for (const Sight& sight : std::exchange(sights, {})) fault(number, sight.id, "not for it now");
  for (const auto& [number, subscriber] : subscribers_) {
    if (subscriber.topic || !has_room(subscriber)) continue;
    Queue& queue = queues_[subscriber.place];
    if (const std::uint64_t first = first_for(queue, subscriber); first != 0)
      fault(number, queue.items.at(first).message.id, "was not given to it");
  }
  std::vector<std::string> names;
  for (const auto& [name, queue] : queues_)
    if (!queue.waiters.empty()) names.push_back(name);
  for (const std::string& name : names) release(name);
}

}  // namespace hawser::soak
