// Putting a message together, and reading its lines.
#include <hawser/base/short_text.hpp>
#include <hawser/bus/detail/message_memory.hpp>
#include <hawser/bus/message.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <new>

namespace hawser::bus {
namespace {

/// No octet has an escape. Asked of every message, and true of nearly all.
bool is_plain(BytesView text) noexcept { return !contains_any<'\\', ':', '\n', '\r'>(text); }

void append_encoded(Bytes& out, BytesView text) {
  if (is_plain(text)) {
    out += text;
    return;
  }
  for (;;) {
    const auto at = text.find_first_of("\\:\n\r");
    out += text.substr(0, at);
    if (at == BytesView::npos) return;
    out += '\\';
    switch (text[at]) {
      case ':':
        out += 'c';
        break;
      case '\n':
        out += 'n';
        break;
      case '\r':
        out += 'r';
        break;
      default:
        out += '\\';
    }
    text.remove_prefix(at + 1);
  }
}

void append_decoded(Bytes& out, BytesView text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'c':
        out += ':';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      default:
        out += text[i];
    }
  }
}

struct Line {
  BytesView name;
  BytesView value;
};
/// Takes the first line off `lines`.
Line take_line(BytesView& lines) noexcept {
  const auto end = std::min(lines.find('\n'), lines.size());
  const BytesView line = lines.substr(0, end);
  lines.remove_prefix(std::min(end + 1, lines.size()));
  const auto colon = std::min(line.find(':'), line.size());
  return {line.substr(0, colon), line.substr(std::min(colon + 1, line.size()))};
}

constexpr char destination_name[] = "destination:";
constexpr char content_type_name[] = "content-type:";
constexpr char content_length_name[] = "content-length:";
/// Without the NUL at its end.
template <std::size_t size>
constexpr std::size_t length_of(const char (&)[size]) noexcept {
  return size - 1;
}

/// Writes behind each other into memory that is large enough.
class Writer {
 public:
  explicit Writer(char* at) noexcept : begin_(at), at_(at) {}
  void put(BytesView bytes) noexcept { at_ = copy_text(at_, bytes); }
  template <std::size_t size>
  void put(const char (&literal)[size]) noexcept {
    std::memcpy(at_, literal, size - 1);
    at_ += size - 1;
  }
  void put(char byte) noexcept { *at_++ = byte; }
  std::uint32_t position() const noexcept { return static_cast<std::uint32_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

}  // namespace

bool PropertyLines::add(BytesView name, BytesView value) {
  if (name.empty() || name.find('\0') != BytesView::npos || value.find('\0') != BytesView::npos)
    return false;
  append_encoded(lines_, name);
  lines_ += ':';
  append_encoded(lines_, value);
  lines_ += '\n';
  return true;
}

void PropertyLines::add_encoded(BytesView line) { lines_ += line; }

MessagePtr Message::make(const MessageDraft& draft) {
  if (draft.body.size() > inline_body) return make(draft, Payload(draft.body));
  return MessagePtr::adopt(assemble(draft, draft.body, draft.body.size()));
}

MessagePtr Message::make(const MessageDraft& draft, Payload body) {
  Message* const message = assemble(draft, {}, body.size());
  message->shared_ = std::move(body);
  return MessagePtr::adopt(message);
}

Message* Message::assemble(const MessageDraft& draft, BytesView body, std::size_t body_size) {
  // Names of destinations and types hardly ever need an escape: then they are read where they lie.
  Bytes encoded_destination;
  Bytes encoded_type;
  const bool plain_destination = is_plain(draft.destination);
  const bool plain_type = is_plain(draft.content_type);
  if (!plain_destination) append_encoded(encoded_destination, draft.destination);
  if (!plain_type) append_encoded(encoded_type, draft.content_type);
  const BytesView destination = plain_destination ? draft.destination : encoded_destination;
  const BytesView type = plain_type ? draft.content_type : encoded_type;

  std::array<char, 24> digits{};
  BytesView length;
  if (body_size != 0)
    length = {digits.data(),
              std::to_chars(digits.data(), digits.data() + digits.size(), body_size).ptr};

  std::size_t text = length_of(destination_name) + destination.size() + 1;
  if (!type.empty()) text += length_of(content_type_name) + type.size() + 1;
  text += draft.properties.size();
  if (!length.empty()) text += length_of(content_length_name) + length.size() + 1;
  text += 1 + body.size() + 1;
  if (!plain_destination) text += draft.destination.size();
  if (!plain_type) text += draft.content_type.size();
  text += draft.group.size();

  const std::size_t bytes = sizeof(Message) + text;
  // allocation: the message and all its text in one block, counted in place
  void* const memory = detail::take_message_memory(bytes);
  auto* const message = ::new (memory) Message;
  message->allocated_ = static_cast<std::uint32_t>(bytes);
  Writer out(message->text());
  out.put(destination_name);
  message->destination_at_ = out.position();
  message->destination_ = static_cast<std::uint32_t>(draft.destination.size());
  out.put(destination);
  out.put('\n');
  message->destination_line_ = out.position();
  message->content_type_ = static_cast<std::uint32_t>(draft.content_type.size());
  if (!type.empty()) {
    out.put(content_type_name);
    message->content_type_at_ = out.position();
    out.put(type);
    out.put('\n');
  }
  message->lines_ = out.position();
  message->lines_size_ = static_cast<std::uint32_t>(draft.properties.size());
  out.put(draft.properties);
  if (!length.empty()) {
    out.put(content_length_name);
    out.put(length);
    out.put('\n');
  }
  out.put('\n');
  message->head_ = out.position();
  message->body_ = static_cast<std::uint32_t>(body.size());
  out.put(body);
  out.put('\0');
  if (!plain_destination) {
    message->destination_at_ = out.position();
    out.put(draft.destination);
  }
  if (!plain_type) {
    message->content_type_at_ = out.position();
    out.put(draft.content_type);
  }
  message->group_at_ = out.position();
  message->group_ = static_cast<std::uint32_t>(draft.group.size());
  out.put(draft.group);

  message->encoding_ = draft.encoding;
  message->priority_ = std::min(draft.priority, highest_priority);
  message->retain_ = draft.retain;
  message->persistent_ = draft.persistent;
  message->expires_ = draft.expires;
  message->deliver_at_ = draft.deliver_at;
  message->escapes_ =
      !plain_destination || !plain_type || draft.properties.find('\\') != BytesView::npos;
  message->carriage_return_ =
      message->escapes_ && (draft.destination.find('\r') != BytesView::npos ||
                            draft.content_type.find('\r') != BytesView::npos ||
                            draft.properties.find("\\r") != BytesView::npos);
  return message;
}

Message::~Message() {
  const Rendition* each = renditions_.load(std::memory_order_relaxed);
  while (each != nullptr) std::unique_ptr<const Rendition>{std::exchange(each, each->next)};
}

void Message::destroy(const Message* message) noexcept {
  const std::size_t bytes = message->allocated_;
  message->~Message();
  detail::give_message_memory(const_cast<Message*>(message), bytes);
}

std::optional<BytesView> Message::property(BytesView name, Bytes& scratch) const {
  BytesView lines = property_lines();
  while (!lines.empty()) {
    const Line line = take_line(lines);
    BytesView found = line.name;
    if (escapes_ && found.find('\\') != BytesView::npos) {
      scratch.clear();
      append_decoded(scratch, found);
      found = scratch;
    }
    if (found != name) continue;
    if (!escapes_ || line.value.find('\\') == BytesView::npos) return line.value;
    scratch.clear();
    append_decoded(scratch, line.value);
    return scratch;
  }
  return std::nullopt;
}

std::vector<Property> Message::properties() const {
  std::vector<Property> all;
  BytesView lines = property_lines();
  while (!lines.empty()) {
    const Line line = take_line(lines);
    Property& property = all.emplace_back();
    append_decoded(property.name, line.name);
    append_decoded(property.value, line.value);
  }
  return all;
}

const Payload* Message::find_rendition(std::uint32_t number) const noexcept {
  for (const Rendition* each = renditions_.load(std::memory_order_acquire); each != nullptr;
       each = each->next)
    if (each->number == number) return &each->bytes;
  return nullptr;
}

const Payload& Message::add_rendition(std::uint32_t number, Payload bytes) const {
  const Rendition* head = renditions_.load(std::memory_order_acquire);
  auto made = std::make_unique<Rendition>(number, std::move(bytes), head);
  while (!renditions_.compare_exchange_weak(head, made.get(), std::memory_order_acq_rel,
                                            std::memory_order_acquire))
    made->next = head;
  return made.release()->bytes;
}

}  // namespace hawser::bus
