// The frame is put together from the publisher's own text: nothing is built and written anew.
#include <hawser/noam/json.hpp>
#include <hawser/noam/relayed_event.hpp>

#include <utility>

namespace hawser::noam {

std::shared_ptr<const RelayedEvent> RelayedEvent::make(const EventView& event, bool ascii,
                                                       const std::string* sender_name) {
  constexpr BytesView beginning = "[\"event\",";
  std::string text;
  text.reserve(6 + beginning.size() + event.sender.size() + event.topic.size() +
               event.value.size() + 3);
  text = "000000";
  text += beginning;
  const auto add = [&](BytesView value) {
    if (ascii) {
      append_json_ascii(text, value);
    } else {
      text += value;
    }
  };
  if (sender_name != nullptr) {
    append_json_string(text, *sender_name, ascii);
  } else {
    add(event.sender);
  }
  text += ',';
  add(event.topic);
  text += ',';
  const std::size_t value_at = text.size();
  add(event.value);
  const std::size_t value_size = text.size() - value_at;
  text += ']';
  std::size_t size = text.size() - 6;
  if (size > longest_frame) return nullptr;
  for (std::size_t place = 6; place-- > 0; size /= 10)
    text[place] = static_cast<char>('0' + size % 10);

  // allocation: the constructor is private, which make_shared cannot call
  const std::shared_ptr<RelayedEvent> made(new RelayedEvent());
  made->sender_ = sender_name != nullptr ? *sender_name : json_to_string(event.sender).value_or("");
  made->topic_ = json_to_string(event.topic).value_or("");
  made->framed_ = Payload(text);
  made->value_at_ = value_at;
  made->value_size_ = value_size;
  return made;
}

}  // namespace hawser::noam
