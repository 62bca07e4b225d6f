// What a producer sends, made before the clock runs: a ring of whole frames in which only the
// numbers change from one turn to the next. Public; one thread.
#pragma once

#include <bench/stomp/broker.hpp>
#include <hawser/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::bench {

/// Digits of a number on the wire: hexadecimal, lower case, modulo 2^32.
inline constexpr std::size_t number_digits = 8;
void write_number(char* at, std::uint64_t number) noexcept;
/// -1 when these are not digits.
std::int64_t read_number(const char* at) noexcept;

/// What every body has behind its number, for as long as it is: no NUL, no line end.
std::string body_fill(std::size_t size);

/// A queue or a topic in the broker's own words: "/queue/a.b", or "a.b".
std::string destination_text(Language language, bool queue, std::string_view name);

std::string connect_frame(const Broker& broker, unsigned heart_beat_ms);
/// `receipt` empty: none. For NATS, id is a number.
std::string subscribe_frame(Language language, std::string_view destination, std::size_t id,
                            std::string_view receipt);

struct SendPlan {
  Language language = Language::stomp;
  std::vector<std::string> destinations{};  ///< in the broker's words; taken in turn
  std::size_t body = 100;                   ///< at least number_digits
  bool persistent = false;
  bool receipts = false;  ///< each message asks for one, named by its number
};

class SendFrames {
 public:
  explicit SendFrames(const SendPlan& plan);

  /// The next `count` frames or, where the ring ends or a piece is full, fewer, but at least one.
  /// Valid until the next call. `count` comes back as how many these are.
  BytesView next(std::size_t& count) noexcept;

  /// How many have been given out; the next one bears this number.
  std::uint64_t given() const noexcept { return given_; }

 private:
  struct Place {
    std::size_t begin = 0;
    std::size_t number = 0;
    std::size_t receipt = 0;  // 0: none
  };
  std::string ring_{};
  std::vector<Place> places_{};  // one more than there are frames
  std::size_t at_ = 0;
  std::uint64_t given_ = 0;
};

}  // namespace hawser::bench
