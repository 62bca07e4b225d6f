// The trie of patterns.
#include <hawser/bus/detail/topic_table.hpp>

#include <hawser/bus/detail/words.hpp>

#include <utility>

namespace hawser::bus::detail {

void TopicTable::put(std::vector<TopicTarget*>& list, TopicTarget& target) {
  target.index = static_cast<std::uint32_t>(list.size());
  list.push_back(&target);
}

void TopicTable::take(std::vector<TopicTarget*>& list, TopicTarget& target) noexcept {
  TopicTarget* last = list.back();
  list[target.index] = last;
  last->index = target.index;
  list.pop_back();
}

void TopicTable::add(std::string_view pattern, TopicTarget& target) {
  ++version_;
  ++patterns_;
  Node* node = &root_;
  Words wanted(pattern);
  while (const auto word = wanted.next()) {
    if (wanted.done() && is_rest(*word)) {
      put(node->rest, target);
      return;
    }
    auto found = node->next.find(*word);
    if (found == node->next.end())
      found = node->next.emplace(std::string(*word), std::make_unique<Node>()).first;
    node = found->second.get();
  }
  put(node->here, target);
}

void TopicTable::remove(std::string_view pattern, TopicTarget& target) {
  ++version_;
  --patterns_;
  std::vector<std::pair<Node*, std::string_view>> way;
  Node* node = &root_;
  Words wanted(pattern);
  bool rest = false;
  while (const auto word = wanted.next()) {
    if (wanted.done() && is_rest(*word)) {
      rest = true;
      break;
    }
    way.emplace_back(node, *word);
    node = node->next.find(*word)->second.get();
  }
  take(rest ? node->rest : node->here, target);
  while (!way.empty() && node->empty()) {
    const auto [parent, word] = way.back();
    way.pop_back();
    parent->next.erase(parent->next.find(word));
    node = parent;
  }
}

void TopicTable::match(const Node& node, const std::vector<std::string_view>& name, std::size_t at,
                       std::vector<TopicTarget*>& out) {
  out.insert(out.end(), node.rest.begin(), node.rest.end());
  if (at == name.size()) {
    out.insert(out.end(), node.here.begin(), node.here.end());
    return;
  }
  if (node.next.empty()) return;
  const std::string_view word = name[at];
  if (const auto exact = node.next.find(word); exact != node.next.end() && word != "*")
    match(*exact->second, name, at + 1, out);
  if (const auto any = node.next.find("*"); any != node.next.end())
    match(*any->second, name, at + 1, out);
}

void TopicTable::match(std::string_view name, std::vector<TopicTarget*>& out) const {
  if (patterns_ == 0) return;
  std::vector<std::string_view> parts;
  Words all(name);
  while (const auto word = all.next()) parts.push_back(*word);
  match(root_, parts, 0, out);
}

void TopicTable::refresh(std::string_view name, Topic& topic) const {
  topic.patterned.clear();
  match(name, topic.patterned);
  std::ranges::partition(topic.patterned, &TopicTarget::durable);
  topic.version = version_;
}

}  // namespace hawser::bus::detail
