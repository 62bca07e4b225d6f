// Who gets what is published to a topic: exact subscriptions by name, patterns in a trie of words,
// and for each topic in use the patterns that fit it, worked out once. Pure data. Internal to the
// bus.
#pragma once

#include <hawser/bus/detail/subscriber.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hawser::bus::detail {

/// What is kept of one topic that somebody publishes or subscribes to by name.
struct Topic {
  std::vector<TopicTarget*> exact;      // in no order that means anything
  std::vector<TopicTarget*> patterned;  // those of patterns that fit, as of `version`; durable
                                        // subscriptions come first
  std::uint64_t version = 0;
  MessagePtr retained;
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  std::uint64_t dropped = 0;
  // In the store: what is retained, and what is to be delivered later.
  std::uint64_t stored_id = 0;
  std::uint64_t stored = 0;  // messages
  std::uint64_t last_sequence = 0;
  std::uint64_t retained_sequence = 0;  // 0: it is not stored
};

/// The patterns. Adding or removing one makes every topic look once more when it is next used.
class TopicTable {
 public:
  /// `pattern` may be a plain name too (then only the durable subscriptions' use makes sense of
  /// it).
  void add(std::string_view pattern, TopicTarget& target);
  void remove(std::string_view pattern, TopicTarget& target);
  std::size_t patterns() const noexcept { return patterns_; }

  /// Calls `use(target)` for each target of the topic. `use` must not add or remove any.
  template <class Use>
  void for_each(std::string_view name, Topic& topic, Use&& use) {
    if (topic.version != version_) refresh(name, topic);
    for (TopicTarget* target : topic.exact) use(*target);
    for (TopicTarget* target : topic.patterned) use(*target);
  }
  /// The same of the durable subscriptions alone, until `use` answers false.
  template <class Use>
  void for_durables(std::string_view name, Topic& topic, Use&& use) {
    if (topic.version != version_) refresh(name, topic);
    for (TopicTarget* target : topic.patterned)
      if (!target->durable || !use(*target)) return;
  }
  std::size_t count(std::string_view name, Topic& topic) {
    if (topic.version != version_) refresh(name, topic);
    return topic.exact.size() + topic.patterned.size();
  }
  /// For a topic that nothing is kept of.
  void match(std::string_view name, std::vector<TopicTarget*>& out) const;

  /// Into and out of a list in which each knows its place.
  static void put(std::vector<TopicTarget*>& list, TopicTarget& target);
  static void take(std::vector<TopicTarget*>& list, TopicTarget& target) noexcept;

  /// Words of a name that a pattern may have.
  static constexpr std::size_t words = 64;

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> next;  // by word; "*" any
    std::vector<TopicTarget*> here;                                  // patterns that end here
    std::vector<TopicTarget*> rest;  // patterns that end with # here
    bool empty() const noexcept { return next.empty() && here.empty() && rest.empty(); }
  };
  void refresh(std::string_view name, Topic& topic) const;
  static void match(const Node& node, const std::vector<std::string_view>& name, std::size_t at,
                    std::vector<TopicTarget*>& out);

  Node root_;
  std::uint64_t version_ = 1;
  std::size_t patterns_ = 0;
};

}  // namespace hawser::bus::detail
