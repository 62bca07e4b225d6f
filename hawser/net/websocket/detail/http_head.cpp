// The one translation unit that compiles Boost.Beast: its HTTP parser, fed by us, and the SHA-1 and
// base64 that come with it.
#include <hawser/net/websocket/detail/http_head.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/core/detail/sha1.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <array>
#include <variant>

namespace hawser::websocket {

namespace beast = boost::beast;
namespace http = boost::beast::http;

struct HeadReader::Parser {
  using Request = http::request_parser<http::empty_body>;
  using Response = http::response_parser<http::empty_body>;
  std::variant<Request, Response> of;

  Parser(Of kind, std::size_t limit) {
    if (kind == Of::response) of.emplace<Response>();
    std::visit([limit](auto& parser) { parser.header_limit(static_cast<std::uint32_t>(limit)); },
               of);
  }
};

HeadReader::HeadReader(Of kind, std::size_t limit)
    : parser_(std::make_unique<Parser>(kind, limit)), limit_(limit) {}
HeadReader::~HeadReader() = default;

HeadState HeadReader::put(BytesView bytes, std::size_t& taken) {
  // No more than the limit is ever kept, and the end of the head is looked for by ourselves, so
  // that what the answer is does not depend on how the bytes were split.
  const std::size_t before = text_.size();
  const std::size_t look_from = before < 3 ? 0 : before - 3;
  text_.append(bytes.substr(0, limit_ + 1 - std::min(limit_ + 1, before)));
  taken = bytes.size();
  const std::size_t end = text_.find("\r\n\r\n", look_from);
  if (end != std::string::npos && end + 4 <= limit_) {
    text_.resize(end + 4);
    taken = text_.size() - before;
  } else if (text_.size() > limit_) {
    return HeadState::too_long;
  }
  return std::visit(
      [&](auto& parser) {
        beast::error_code error;
        // A parser that has said need_more once waits for the whole head; a fresh one judges what
        // is there. A stranger's first bytes (TLS on a plain port) shall fail at once.
        if (end != std::string::npos || before == 0) {
          used_ += parser.put(boost::asio::buffer(text_) + used_, error);
        } else {
          error = http::error::need_more;
        }
        if (error == http::error::need_more) return HeadState::need_more;
        if (error == http::error::header_limit) return HeadState::too_long;
        if (error && error != http::error::end_of_stream) {
          fault_ = error.message();
          return HeadState::malformed;
        }
        return HeadState::done;
      },
      parser_->of);
}

namespace {

std::string block_of(const auto& fields) {
  std::string block;
  for (const auto& field : fields) {
    block.append(field.name_string().data(), field.name_string().size());
    block += ": ";
    block.append(field.value().data(), field.value().size());
    block += '\n';
  }
  return block;
}

std::string text_of(beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

HttpRequest HeadReader::request() const {
  const auto& head = std::get<Parser::Request>(parser_->of).get();
  return {text_of(head.method_string()), text_of(head.target()), static_cast<int>(head.version()),
          block_of(head)};
}

ResponseHead HeadReader::response() const {
  const auto& head = std::get<Parser::Response>(parser_->of).get();
  return {HttpFields(block_of(head)), static_cast<int>(head.result_int()), text_of(head.reason()),
          static_cast<int>(head.version())};
}

std::string base64(std::span<const unsigned char> bytes) {
  std::string text(beast::detail::base64::encoded_size(bytes.size()), '\0');
  text.resize(beast::detail::base64::encode(text.data(), bytes.data(), bytes.size()));
  return text;
}

std::string accept_for(std::string_view key) {
  constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  beast::detail::sha1_context context;
  beast::detail::init(context);
  beast::detail::update(context, key.data(), key.size());
  beast::detail::update(context, guid.data(), guid.size());
  std::array<unsigned char, beast::detail::sha1_context::digest_size> digest{};
  beast::detail::finish(context, digest.data());
  return base64(digest);
}

bool is_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  std::array<unsigned char, 24> bytes{};
  const auto [written, read] = beast::detail::base64::decode(bytes.data(), key.data(), key.size());
  return written == 16 && read == 22;
}

}  // namespace hawser::websocket
