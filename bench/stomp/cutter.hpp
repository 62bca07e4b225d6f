// Cuts what a broker sends into its frames, as cheaply as can be done without trusting it. Public;
// plain functions. Bodies have no NUL and one known size, which is why this is no STOMP parser.
#pragma once

#include <bench/stomp/broker.hpp>
#include <hawser/base/bytes.hpp>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace hawser::bench {

/// What frames are handed to:
///   bool message(BytesView body)      one message; false stops
///   void confirmed(BytesView receipt) a receipt's id; of NATS a PONG, with an empty id
///   void failed(BytesView text)       the broker's complaint, or what is wrong with its frame
///   void other(BytesView frame)       CONNECTED, INFO, PING, …
template <class T>
concept FrameSink = requires(T& sink, BytesView bytes) {
  { sink.message(bytes) } -> std::same_as<bool>;
  sink.confirmed(bytes);
  sink.failed(bytes);
  sink.other(bytes);
};

/// Answers how many bytes whole frames took; the rest is to be given again, with more behind it.
template <FrameSink Sink>
std::size_t cut_stomp(BytesView bytes, std::size_t body, Sink& sink) {
  std::size_t at = 0;
  for (;;) {
    while (at < bytes.size() && (bytes[at] == '\n' || bytes[at] == '\r')) ++at;
    if (at == bytes.size()) return at;
    const void* nul = std::memchr(bytes.data() + at, 0, bytes.size() - at);
    if (nul == nullptr) return at;
    const auto end = static_cast<std::size_t>(static_cast<const char*>(nul) - bytes.data());
    const BytesView frame = bytes.substr(at, end - at);
    at = end + 1;
    if (frame.starts_with("MESSAGE\n")) {
      if (frame.size() < body + 10 || frame.substr(frame.size() - body - 2, 2) != "\n\n") {
        sink.failed("a MESSAGE with a body that is too short or too long");
      } else if (!sink.message(frame.substr(frame.size() - body))) {
        return at;
      }
    } else if (frame.starts_with("RECEIPT\n")) {
      constexpr BytesView name = "\nreceipt-id:";
      const std::size_t found = frame.find(name);
      if (found == BytesView::npos) {
        sink.failed("a RECEIPT without receipt-id");
      } else {
        const BytesView rest = frame.substr(found + name.size());
        sink.confirmed(rest.substr(0, rest.find_first_of("\r\n")));
      }
    } else if (frame.starts_with("ERROR")) {
      sink.failed(frame);
    } else {
      sink.other(frame);
    }
  }
}

template <FrameSink Sink>
std::size_t cut_nats(BytesView bytes, std::size_t body, Sink& sink) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
    if (found == nullptr) return at;
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    const BytesView line = bytes.substr(at, end - at);
    if (line.starts_with("MSG ")) {
      if (bytes.size() - end - 1 < body + 2) return at;
      const BytesView digits = line.substr(line.find_last_of(' ') + 1);
      std::size_t size = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), size);
      const BytesView content = bytes.substr(end + 1, body);
      at = end + 1 + body + 2;
      if (size != body || bytes.substr(at - 2, 2) != "\r\n") {
        sink.failed("a MSG with a body that is too short or too long");
        return at;
      }
      if (!sink.message(content)) return at;
      continue;
    }
    at = end + 1;
    if (line.starts_with("PONG")) {
      sink.confirmed({});
    } else if (line.starts_with("-ERR")) {
      sink.failed(line);
    } else {
      sink.other(line);
    }
  }
  return at;
}

template <FrameSink Sink>
std::size_t cut(Language language, BytesView bytes, std::size_t body, Sink& sink) {
  return language == Language::nats ? cut_nats(bytes, body, sink) : cut_stomp(bytes, body, sink);
}

}  // namespace hawser::bench
