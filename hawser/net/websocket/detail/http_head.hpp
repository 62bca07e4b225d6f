// Reads an HTTP/1.1 head as it comes in, and makes the two base64 values of the WebSocket
// handshake. Internal; Boost.Beast, which does it, is seen by http_head.cpp alone.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/net/websocket/http.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace hawser::websocket {

/// What a server answered.
struct ResponseHead : HttpFields {
  int status = 0;
  std::string reason;
  int version = 11;
};

enum class HeadState : std::uint8_t { need_more, done, too_long, malformed };

class HeadReader {
 public:
  enum class Of : std::uint8_t { request, response };
  /// A head longer than `limit` bytes is too_long.
  HeadReader(Of kind, std::size_t limit);
  HeadReader(HeadReader&&) = delete;
  ~HeadReader();

  /// Takes bytes until the head is over; `taken` tells how many of them it has used (all of them
  /// unless done). Not to be called again after anything but need_more.
  HeadState put(BytesView bytes, std::size_t& taken);
  /// What was wrong, after malformed.
  std::string_view fault() const noexcept { return fault_; }
  bool empty() const noexcept { return text_.empty(); }

  /// After done: the request, or the response, this reader was made for.
  HttpRequest request() const;
  ResponseHead response() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::string text_;  // the whole head so far: the parser wants to see it in one piece
  std::string fault_;
  std::size_t used_ = 0;  // bytes of it that the parser is done with
  std::size_t limit_;
};

/// The Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 §4.2.2).
std::string accept_for(std::string_view key);
std::string base64(std::span<const unsigned char> bytes);
/// Whether `key` is the base64 of exactly 16 bytes (§4.2.1).
bool is_key(std::string_view key);

}  // namespace hawser::websocket
