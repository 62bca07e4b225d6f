// The head by the parser that WebSocket handshakes use, the body by length, chunks or the end.
#include <hawser/net/http_reader.hpp>

#include <hawser/net/websocket/detail/http_head.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace hawser {

struct HttpReader::Head {
  websocket::HeadReader reader;
  Head(Of kind, std::size_t limit)
      : reader(kind == Of::request ? websocket::HeadReader::Of::request
                                   : websocket::HeadReader::Of::response,
               limit) {}
};

HttpReader::HttpReader(Of kind, HttpLimits limits)
    : kind_(kind), limits_(limits), head_(std::make_unique<Head>(kind, limits.head)) {}
HttpReader::HttpReader(HttpReader&&) noexcept = default;
HttpReader& HttpReader::operator=(HttpReader&&) noexcept = default;
HttpReader::~HttpReader() = default;

HttpReader::State HttpReader::fail(int status, std::string why) {
  fault_status_ = status;
  fault_ = std::move(why);
  return state_ = State::failed;
}

HttpReader::State HttpReader::put(BytesView bytes) {
  if (state_ != State::need_more) return state_;
  if (head_ != nullptr) {
    std::size_t taken = 0;
    switch (head_->reader.put(bytes, taken)) {
      case websocket::HeadState::need_more:
        return state_;
      case websocket::HeadState::too_long:
        return fail(431, "the head is too long");
      case websocket::HeadState::malformed:
        return fail(400, std::string(head_->reader.fault()));
      case websocket::HeadState::done:
        break;
    }
    bytes.remove_prefix(std::min(taken, bytes.size()));
    if (begin_body() != State::need_more) return state_;
  }
  switch (how_) {
    case Body::none:
      break;
    case Body::length:
      body_.append(bytes.substr(0, length_ - body_.size()));
      if (body_.size() == length_) state_ = State::done;
      break;
    case Body::until_end:
      if (body_.size() + bytes.size() > limits_.body) return fail(413, "the body is too long");
      body_ += bytes;
      break;
    case Body::chunks:
      raw_ += bytes;
      return read_chunks();
  }
  return state_;
}

HttpReader::State HttpReader::begin_body() {
  const bool is_request = kind_ == Of::request;
  if (is_request) {
    request_ = head_->reader.request();
  } else {
    websocket::ResponseHead response = head_->reader.response();
    status_ = response.status;
    fields_ = static_cast<HttpFields&&>(response);
  }
  head_.reset();
  const HttpFields& fields = is_request ? request_ : fields_;
  if (fields.count("transfer-encoding") != 0) {
    if (!fields.has_token("transfer-encoding", "chunked"))
      return fail(501, "an unknown transfer-encoding");
    how_ = Body::chunks;
    return state_;
  }
  if (const std::string_view text = fields.header("content-length"); !text.empty()) {
    const auto [stop, failure] =
        std::from_chars(text.data(), text.data() + text.size(), length_, 10);
    if (failure != std::errc{} || stop != text.data() + text.size() ||
        fields.count("content-length") != 1)
      return fail(400, "content-length is no number");
    if (length_ > limits_.body) return fail(413, "the body is too long");
    how_ = Body::length;
    if (length_ == 0) state_ = State::done;
    return state_;
  }
  const bool bodiless = status_ == 204 || status_ == 304 || (status_ >= 100 && status_ < 200);
  if (is_request || bodiless) return state_ = State::done;
  how_ = Body::until_end;
  return state_;
}

HttpReader::State HttpReader::read_chunks() {
  for (;;) {
    const std::size_t line = raw_.find("\r\n");
    if (line == std::string::npos) {
      // A size and its extensions are short; trailers are bounded all the same.
      return raw_.size() > limits_.head ? fail(400, "a chunk without a size") : state_;
    }
    std::size_t size = 0;
    const auto [stop, failure] = std::from_chars(raw_.data(), raw_.data() + line, size, 16);
    if (failure != std::errc{} || (stop != raw_.data() + line && *stop != ';' && *stop != ' '))
      return fail(400, "a chunk without a size");
    if (size > limits_.body || body_.size() + size > limits_.body)
      return fail(413, "the body is too long");
    if (size == 0) {
      // Trailers, if any, up to an empty line.
      if (raw_.find("\r\n\r\n", line) != std::string::npos) return state_ = State::done;
      return raw_.size() > limits_.head ? fail(431, "the trailers are too long") : state_;
    }
    if (raw_.size() < line + 2 + size + 2) return state_;
    if (raw_.compare(line + 2 + size, 2, "\r\n") != 0) return fail(400, "a chunk without an end");
    body_.append(raw_, line + 2, size);
    raw_.erase(0, line + 2 + size + 2);
  }
}

HttpReader::State HttpReader::end() {
  if (state_ != State::need_more) return state_;
  if (head_ == nullptr && how_ == Body::until_end) return state_ = State::done;
  return fail(400, "the connection ended within the message");
}

std::string http_request_text(std::string_view method, std::string_view target,
                              std::string_view host) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", method, target,
                     host);
}

std::string http_response_text(const HttpResponse& response) {
  const std::string_view name = http_status_text(response.status);
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", response.status,
                                 name.empty() ? std::string_view("Status") : name);
  if (!response.content_type.empty())
    text += fmt::format("content-type: {}\r\n", response.content_type);
  for (const HttpHeader& header : response.headers)
    text += fmt::format("{}: {}\r\n", header.name, header.value);
  text += fmt::format("content-length: {}\r\nconnection: close\r\n\r\n", response.body.size());
  return text += response.body;
}

namespace {
int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

std::string url_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
               hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string url_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string form_value(std::string_view form, std::string_view name, bool* found) {
  if (found != nullptr) *found = false;
  while (!form.empty()) {
    const std::size_t end = std::min(form.find('&'), form.size());
    const std::string_view pair = form.substr(0, end);
    form.remove_prefix(std::min(end + 1, form.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (url_decode(pair.substr(0, equals)) != name) continue;
    if (found != nullptr) *found = true;
    return equals == pair.size() ? std::string{} : url_decode(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace hawser
