// Look-ups and copies of frames.
#include <hawser/stomp/frame.hpp>

#include <algorithm>

namespace hawser::stomp {

namespace {
template <class Headers>
std::optional<BytesView> find_first(const Headers& headers, BytesView name) noexcept {
  for (const auto& header : headers) {
    if (header.name == name) return header.value;
  }
  return std::nullopt;
}
}  // namespace

std::optional<BytesView> Frame::first(BytesView name) const noexcept {
  return find_first(headers, name);
}

Frame& Frame::add(BytesView name, BytesView value) {
  headers.push_back({Bytes(name), Bytes(value)});
  return *this;
}

Frame& Frame::set(BytesView name, BytesView value) {
  const auto is_named = [name](const Header& header) { return header.name == name; };
  const auto at = std::ranges::find_if(headers, is_named);
  if (at == headers.end()) return add(name, value);
  at->value = value;
  headers.erase(std::remove_if(at + 1, headers.end(), is_named), headers.end());
  return *this;
}

std::size_t Frame::remove(BytesView name) {
  return std::erase_if(headers, [name](const Header& header) { return header.name == name; });
}

std::map<Bytes, Bytes, std::less<>> Frame::to_map() const {
  std::map<Bytes, Bytes, std::less<>> map;
  for (const Header& header : headers) map.emplace(header.name, header.value);
  return map;
}

std::optional<BytesView> FrameView::first(BytesView name) const noexcept {
  return find_first(headers(), name);
}

Frame FrameView::to_frame() const {
  Frame frame{command_, {}, Payload(body_)};
  frame.headers.reserve(count_);
  for (const HeaderView& header : headers()) frame.add(header.name, header.value);
  return frame;
}

}  // namespace hawser::stomp
