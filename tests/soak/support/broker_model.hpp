// What the broker promises, as plain lists in memory: every step of a simulated day is told to it,
// and everything that clients then see must be what it allows, and all of it. Internal to
// tests/soak; one thread.
//
// Who of several consumers gets a message is the broker's choice; which message a consumer may get,
// how often it has been given out, and that none is left that somebody could have, is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::soak {

struct ModelMessage {
  std::uint64_t id = 0;
  int number = 0;  ///< the header that selectors ask for
  int priority = 4;
  bool persistent = false;
  std::int64_t expires = 0;  ///< ms; 0: never
  std::int64_t ready = 0;    ///< not before
  char retain = 0;           ///< 's' set, 'r' remove
};

struct ModelRules {
  enum class Overflow : std::uint8_t { reject, drop_oldest, dead_letter, block };
  std::size_t limit = 1'000'000;
  Overflow overflow = Overflow::reject;
  std::uint32_t deliveries = 3;
  std::int64_t requeue_delay = 0;
  std::int64_t ttl = 0;
  bool expired_to_dead_letters = false;
};

/// A subscription to a queue, a topic or a durable subscription, by a number of the test's.
struct ModelSubscriber {
  std::uint64_t session = 0;
  char mode = 'a';  ///< auto, 'c'lient, client-'i'ndividual
  std::size_t prefetch = 1'024;
  int above = -1;  ///< wants messages whose number is higher
  bool no_local = false;
  std::string place;  ///< the queue's name, or the pattern
  bool topic = false;
  std::vector<std::uint64_t> held{};  ///< given and not settled, in order
  // Of topics:
  std::deque<std::uint64_t> waiting{};
  std::deque<std::uint64_t> expected{};  ///< what it must see next
};

struct ModelAction {
  enum class Kind : std::uint8_t { send, accept, give_back, reject };
  Kind kind = Kind::send;
  std::string queue{};  ///< or
  std::string topic{};
  ModelMessage message{};
  std::uint64_t subscriber = 0;
  std::vector<std::uint64_t> ids{};
};

class BrokerModel {
 public:
  /// What a request comes to.
  enum class Answer : std::uint8_t { done, waits, refused };

  std::map<std::string, ModelRules, std::less<>> rules;  ///< by queue; others have the defaults
  ModelRules durable_rules;
  std::int64_t now = 0;

  Answer send(std::uint64_t session, const std::string& queue, ModelMessage message,
              const std::string& receipt);
  Answer publish(std::uint64_t session, const std::string& topic, ModelMessage message,
                 const std::string& receipt);
  Answer commit(std::uint64_t session, const std::vector<ModelAction>& actions);
  void subscribe(std::uint64_t number, ModelSubscriber subscriber);
  /// The durable subscription `place` is filled by `pattern` from now on.
  void make_durable(const std::string& place, const std::string& pattern, int above);
  void remove_durable(const std::string& place);
  void unsubscribe(std::uint64_t number);
  /// ACK or NACK of these, by who holds them.
  void settle(std::uint64_t number, const std::vector<std::uint64_t>& ids, ModelAction::Kind kind);
  void session_ends(std::uint64_t session);
  /// What a browser of the queue reads now.
  std::vector<std::uint64_t> browse(const std::string& queue, int above) const;
  void advance(std::int64_t to);
  /// Only what is persistent is left, and nobody is there.
  void crash();
  void forget(const std::string& queue, std::uint64_t id);

  /// A subscriber has seen this; judged by settle_step().
  void seen(std::uint64_t number, std::uint64_t id, bool redelivered, std::uint32_t count);
  /// Everything that could be given out has been, and nothing else.
  void settle_step();

  /// Receipts that came free since the last call: a queue has room again.
  std::vector<std::pair<std::uint64_t, std::string>> released();
  bool waits(std::uint64_t session) const;

  const std::map<std::uint64_t, ModelSubscriber>& subscribers() const { return subscribers_; }
  bool is_durable(const std::string& place) const { return durables_.contains(place); }
  std::size_t waiting_in(const std::string& queue) const;

  std::vector<std::string> faults;
  struct Coverage {
    std::uint64_t delivered = 0, redelivered = 0, dead = 0, expired = 0, dropped = 0, waited = 0,
                  refused = 0, topical = 0, survived = 0;
    void add(const Coverage& other);
  };
  Coverage coverage;

 private:
  struct Item {
    ModelMessage message;
    std::uint32_t deliveries = 0;
    std::uint32_t stored_deliveries = 0;
    bool redelivered = false;
    std::int64_t ready_at = 0;
    std::int64_t expires = 0;
    std::uint64_t holder = 0;
  };
  struct Waiter {
    std::uint64_t session;
    std::string receipt;
    bool held;
  };
  struct Queue {
    std::map<std::uint64_t, Item> items;  // by sequence
    std::uint64_t last = 0;
    std::vector<Waiter> waiters;
  };
  struct Durable {
    std::string pattern;
    int above = -1;
  };
  struct Sight {
    std::uint64_t id;
    bool redelivered;
    std::uint32_t count;
  };
  struct Delayed {
    std::string topic;
    ModelMessage message;
  };

  const ModelRules& rules_of(const std::string& queue) const;
  void push(const std::string& queue, const ModelMessage& message);
  bool make_room(const std::string& queue);
  void kill(const std::string& queue, std::uint64_t sequence);
  void give_back(const std::string& queue, std::uint64_t sequence, bool wait);
  bool route(std::uint64_t session, const std::string& topic, const ModelMessage& message,
             const std::string& receipt, bool promised = false);
  std::vector<std::string> durables_for(const std::string& topic,
                                        const ModelMessage& message) const;
  bool consumes(std::uint64_t session, const std::string& place) const;
  void offer(ModelSubscriber& subscriber, std::uint64_t id);
  void pump(ModelSubscriber& subscriber);
  void release(const std::string& queue);
  bool suits(const Item& item, const ModelSubscriber& subscriber) const;
  bool has_room(const ModelSubscriber& subscriber) const;
  std::uint64_t first_for(const Queue& queue, const ModelSubscriber& subscriber) const;
  bool take(std::uint64_t number, ModelSubscriber& subscriber, const Sight& sight);
  void judge_topics();
  void fault(std::uint64_t number, std::uint64_t id, const std::string& what);

  std::map<std::string, Queue, std::less<>> queues_;
  std::map<std::string, Durable, std::less<>> durables_;
  std::map<std::uint64_t, ModelSubscriber> subscribers_;
  std::map<std::uint64_t, std::deque<Sight>> sights_;
  std::map<std::string, ModelMessage> retained_;
  std::vector<Delayed> delayed_;
  std::vector<std::pair<std::uint64_t, std::string>> released_;
};

/// Whether a topic's name fits a pattern; the model's own reading of it.
bool model_matches(std::string_view pattern, std::string_view name);

}  // namespace hawser::soak
