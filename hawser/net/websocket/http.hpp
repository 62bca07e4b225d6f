// The HTTP/1.1 heads around a WebSocket's beginning: the request as a server's hooks see it, and
// the small answer they may give instead of a WebSocket. Public; plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// A header to be sent.
struct HttpHeader {
  std::string name;
  std::string value;
};

/// Header fields as they arrived, in order, in one block of memory.
class HttpFields {
 public:
  HttpFields() = default;
  /// "Name: value\n" for each field; a value holds no line end.
  explicit HttpFields(std::string block) : block_(std::move(block)) { block_.shrink_to_fit(); }

  /// The first field of this name (case does not matter), "" when there is none.
  std::string_view header(std::string_view name) const noexcept;
  /// How many fields have this name.
  std::size_t count(std::string_view name) const noexcept;
  /// All fields of this name, joined by ", ": what a list spread over several lines means.
  std::string joined(std::string_view name) const;
  /// All fields in order.
  std::vector<std::pair<std::string_view, std::string_view>> all() const;
  /// Whether the comma-separated list `name` has `token` (case does not matter).
  bool has_token(std::string_view name, std::string_view token) const noexcept;
  std::size_t bytes() const noexcept { return block_.capacity(); }

 private:
  std::string block_;
};

/// What a client asked for.
class HttpRequest : public HttpFields {
 public:
  HttpRequest() = default;
  /// `version` is 10 for HTTP/1.0, 11 for HTTP/1.1.
  HttpRequest(std::string method, std::string target, int version, std::string fields)
      : HttpFields(std::move(fields)),
        method_(std::move(method)),
        target_(std::move(target)),
        version_(version) {}

  std::string_view method() const noexcept { return method_; }
  /// As it was sent: "/chat?room=5".
  std::string_view target() const noexcept { return target_; }
  /// The target without its query, not decoded: "/chat". A client may also have sent an absolute
  /// form ("http://host/chat"); then this is the part from the path on.
  std::string_view path() const noexcept;
  /// What follows the '?', "" when there is none.
  std::string_view query() const noexcept;
  int version() const noexcept { return version_; }

 private:
  std::string method_;
  std::string target_;
  int version_ = 11;
};

/// A small plain answer. `content-length` and `connection: close` are added when it is sent.
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
  std::vector<HttpHeader> headers{};
};

/// "Not Found" for 404; "" for a status without a name of its own here.
std::string_view http_status_text(int status) noexcept;

}  // namespace hawser
