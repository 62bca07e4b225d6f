// Whole HTTP/1.1 requests and responses out of bytes, and back: for the small APIs that programs
// offer beside their protocol. One message a connection. Public; pure, any thread.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/net/websocket/http.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hawser {

struct HttpLimits {
  std::size_t head = 16'384;                ///< bytes of the head; 431
  std::size_t body = std::size_t{1} << 20;  ///< bytes of the body; 413
};

class HttpReader {
 public:
  enum class Of : std::uint8_t { request, response };
  explicit HttpReader(Of kind, HttpLimits limits = {});
  HttpReader(HttpReader&&) noexcept;
  HttpReader& operator=(HttpReader&&) noexcept;
  ~HttpReader();

  enum class State : std::uint8_t { need_more, done, failed };
  /// Takes bytes as they come. Nothing more is looked at after done or failed.
  State put(BytesView bytes);
  /// The peer has closed: what ends a response that names no length.
  State end();

  State state() const noexcept { return state_; }
  /// failed: what a server answers, and why.
  int fault_status() const noexcept { return fault_status_; }
  const std::string& fault() const noexcept { return fault_; }

  /// done, of a request.
  const HttpRequest& request() const noexcept { return request_; }
  /// done, of a response.
  int status() const noexcept { return status_; }
  /// Both; decoded when it came in chunks.
  const std::string& body() const noexcept { return body_; }

 private:
  struct Head;
  enum class Body : std::uint8_t { none, length, chunks, until_end };
  State fail(int status, std::string why);
  State begin_body();
  State read_chunks();

  Of kind_;
  HttpLimits limits_;
  std::unique_ptr<Head> head_;  // until the head is read
  HttpRequest request_;
  HttpFields fields_;
  int status_ = 0;
  Body how_ = Body::none;
  std::size_t length_ = 0;
  std::string raw_;  // chunks not decoded yet
  std::string body_;
  State state_ = State::need_more;
  int fault_status_ = 0;
  std::string fault_;
};

/// "GET /guests HTTP/1.1…": asks for the connection to be closed after the answer.
std::string http_request_text(std::string_view method, std::string_view target,
                              std::string_view host);
/// With content-length and "connection: close".
std::string http_response_text(const HttpResponse& response);

/// Reads "name=lab&on=true" (application/x-www-form-urlencoded), first of that name; "" if absent.
std::string form_value(std::string_view form, std::string_view name, bool* found = nullptr);
/// Undoes %41 and '+'; a '%' without two digits stays as it is.
std::string url_decode(std::string_view text);
/// All but letters, digits and "-_.~" as %41.
std::string url_encode(std::string_view text);

}  // namespace hawser
