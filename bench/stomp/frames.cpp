// Building frames, and numbering them in place.
#include <bench/stomp/frames.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace hawser::bench {

namespace {

constexpr std::size_t least_ring = 512;          // frames, when there are fewer destinations
constexpr std::size_t frames_piece = 96 * 1024;  // bytes given to the kernel at a time

constexpr auto pairs = [] {
  std::array<std::array<char, 2>, 256> table{};
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < 256; ++i) table[i] = {digits[i >> 4], digits[i & 15]};
  return table;
}();

}  // namespace

void write_number(char* at, std::uint64_t number) noexcept {
  for (unsigned shift = 32; shift != 0;) {
    shift -= 8;
    std::memcpy(at, pairs[(number >> shift) & 255].data(), 2);
    at += 2;
  }
}

std::int64_t read_number(const char* at) noexcept {
  std::int64_t number = 0;
  for (std::size_t i = 0; i < number_digits; ++i) {
    const char c = at[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return -1;
    number = number * 16 + digit;
  }
  return number;
}

std::string body_fill(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i % 90);
  return text;
}

std::string destination_text(Language language, bool queue, std::string_view name) {
  if (language == Language::nats) return std::string(name);
  return fmt::format("/{}/{}", queue ? "queue" : "topic", name);
}

std::string connect_frame(const Broker& broker, unsigned heart_beat_ms) {
  if (broker.language == Language::nats)
    return "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true}\r\nPING\r\n";
  return fmt::format(
             "CONNECT\naccept-version:1.2\nhost:/\nlogin:{}\npasscode:{}\nheart-beat:{},{}\n\n",
             broker.login, broker.passcode, heart_beat_ms, heart_beat_ms) +
         '\0';
}

std::string subscribe_frame(Language language, std::string_view destination, std::size_t id,
                            std::string_view receipt) {
  if (language == Language::nats)
    return fmt::format("SUB {} {}\r\n{}", destination, id, receipt.empty() ? "" : "PING\r\n");
  std::string text = fmt::format("SUBSCRIBE\nid:{}\ndestination:{}\nack:auto\n", id, destination);
  if (!receipt.empty()) text += fmt::format("receipt:{}\n", receipt);
  return text + '\n' + '\0';
}

SendFrames::SendFrames(const SendPlan& plan) {
  const std::string number(number_digits, '0');
  const std::string fill = body_fill(plan.body - number_digits);
  const std::size_t turns = (least_ring + plan.destinations.size() - 1) / plan.destinations.size();
  for (std::size_t turn = 0; turn < turns; ++turn)
    for (const std::string& destination : plan.destinations) {
      Place place;
      place.begin = ring_.size();
      if (plan.language == Language::nats) {
        ring_ += fmt::format("PUB {} {}\r\n", destination, plan.body);
        place.number = ring_.size();
        ring_ += number + fill + "\r\n";
      } else {
        ring_ += fmt::format("SEND\ndestination:{}\ncontent-length:{}\n", destination, plan.body);
        if (plan.persistent) ring_ += "persistent:true\n";
        if (plan.receipts) {
          ring_ += "receipt:";
          place.receipt = ring_.size();
          ring_ += number + '\n';
        }
        ring_ += '\n';
        place.number = ring_.size();
        ring_ += number + fill + '\0';
      }
      places_.push_back(place);
    }
  places_.push_back({ring_.size(), 0, 0});
}

BytesView SendFrames::next(std::size_t& count) noexcept {
  const std::size_t first = at_;
  const std::size_t last = places_.size() - 1;
  std::size_t taken = 0;
  do {
    const Place& place = places_[at_];
    write_number(&ring_[place.number], given_);
    if (place.receipt != 0) write_number(&ring_[place.receipt], given_);
    ++given_;
    ++at_;
    ++taken;
  } while (taken < count && at_ < last && places_[at_].begin - places_[first].begin < frames_piece);
  count = taken;
  const std::size_t end = places_[at_].begin;
  if (at_ == last) at_ = 0;
  return BytesView(ring_).substr(places_[first].begin, end - places_[first].begin);
}

}  // namespace hawser::bench
