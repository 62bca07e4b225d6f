// The frame is put together from the publisher's own text: nothing is built and written anew.
#include <hawser/noam/json.hpp>
#include <hawser/noam/relayed_event.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser::noam {

std::shared_ptr<const RelayedEvent> RelayedEvent::make(const EventView& event, bool ascii,
                                                       const std::string* sender_name) {
  constexpr BytesView beginning = "000000[\"event\",";
  // Most events are short: put together here, they are allocated once, as what is shared.
  fmt::basic_memory_buffer<char, 512> text;
  const auto put = [&](BytesView bytes) { text.append(bytes.data(), bytes.data() + bytes.size()); };
  std::string scratch;
  const auto add = [&](BytesView value) {
    if (!ascii || std::ranges::none_of(
                      value, [](char octet) { return static_cast<unsigned char>(octet) >= 0x80; }))
      return put(value);
    scratch.clear();
    append_json_ascii(scratch, value);
    put(scratch);
  };
  put(beginning);
  if (sender_name != nullptr) {
    append_json_string(scratch, *sender_name, ascii);
    put(scratch);
  } else {
    add(event.sender);
  }
  text.push_back(',');
  add(event.topic);
  text.push_back(',');
  const std::size_t value_at = text.size();
  add(event.value);
  const std::size_t value_size = text.size() - value_at;
  text.push_back(']');
  std::size_t size = text.size() - 6;
  if (size > longest_frame) return nullptr;
  for (std::size_t place = 6; place-- > 0; size /= 10)
    text[place] = static_cast<char>('0' + size % 10);

  const auto made = std::make_shared<RelayedEvent>(Key{});
  made->sender_ = sender_name != nullptr ? *sender_name : json_to_string(event.sender).value_or("");
  made->topic_ = json_to_string(event.topic).value_or("");
  made->framed_ = Payload(BytesView(text.data(), text.size()));
  made->value_at_ = value_at;
  made->value_size_ = value_size;
  return made;
}

}  // namespace hawser::noam
