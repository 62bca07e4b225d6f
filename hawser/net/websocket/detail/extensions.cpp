// Lists of extensions are parsed by their grammar (RFC 6455 §9.1), then judged.
#include <hawser/net/websocket/detail/extensions.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace hawser::websocket {

namespace {

constexpr std::string_view deflate_name = "permessage-deflate";

struct Parameter {
  std::string_view name;
  std::optional<std::string_view> value;
};
struct Extension {
  std::string_view name;
  std::vector<Parameter> parameters;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  /// extension *( "," extension ), each a token with *( ";" token [ "=" value ] ).
  std::optional<std::vector<Extension>> list() {
    std::vector<Extension> all;
    do {
      blanks();
      if (rest_.empty() || rest_.front() == ',') continue;  // an empty element of a list is allowed
      Extension extension{.name = token(), .parameters = {}};
      if (extension.name.empty()) return std::nullopt;
      while (take(';')) {
        Parameter parameter{.name = token(), .value = {}};
        if (parameter.name.empty()) return std::nullopt;
        if (take('=')) {
          parameter.value = value();
          if (parameter.value->empty()) return std::nullopt;
        }
        extension.parameters.push_back(parameter);
      }
      all.push_back(std::move(extension));
    } while (take(','));
    if (!rest_.empty()) return std::nullopt;
    return all;
  }

 private:
  void blanks() {
    const std::size_t first = rest_.find_first_not_of(" \t");
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }
  bool take(char c) {
    blanks();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view token() {
    blanks();
    const std::size_t end = std::min(rest_.find_first_of("\"(),/:;<=>?@[\\]{} \t"), rest_.size());
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return found;
  }
  std::string_view value() {
    if (!take('"')) return token();
    const std::size_t end = rest_.find('"');  // what is quoted must be a token: no escapes
    if (end == std::string_view::npos) return {};
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return found;
  }

  std::string_view rest_;
};

/// 8 … 15 without a leading zero (§7.1.2.1), or 0.
int bits_of(std::string_view value) noexcept {
  if (value == "8" || value == "9") return value[0] - '0';
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5')
    return 10 + (value[1] - '0');
  return 0;
}

/// The parameters of permessage-deflate, each at most once, each with a proper value or none.
struct Parameters {
  bool server_no_takeover = false;
  bool client_no_takeover = false;
  int server_bits = 0;  // 0: not given
  int client_bits = 0;
  bool client_bits_given = false;
};

std::optional<Parameters> parameters_of(const Extension& extension, bool value_optional) {
  Parameters all;
  for (const Parameter& each : extension.parameters) {
    if (each.name == "server_no_context_takeover") {
      if (std::exchange(all.server_no_takeover, true) || each.value) return std::nullopt;
    } else if (each.name == "client_no_context_takeover") {
      if (std::exchange(all.client_no_takeover, true) || each.value) return std::nullopt;
    } else if (each.name == "server_max_window_bits") {
      if (all.server_bits != 0) return std::nullopt;
      all.server_bits = bits_of(each.value.value_or(""));
      if (all.server_bits == 0) return std::nullopt;
    } else if (each.name == "client_max_window_bits") {
      if (std::exchange(all.client_bits_given, true)) return std::nullopt;
      if (each.value || !value_optional) {
        all.client_bits = bits_of(each.value.value_or(""));
        if (all.client_bits == 0) return std::nullopt;
      }
    } else {
      return std::nullopt;
    }
  }
  return all;
}

constexpr int or_15(int bits) noexcept { return bits == 0 ? 15 : bits; }

/// zlib's smallest raw window has nine bits; whoever may use eight sends uncompressed.
void set_our_bits(DeflateAgreement& agreement, int bits) noexcept {
  agreement.our_bits = bits;
  agreement.compress = bits >= 9;
}

Error broken(std::string detail) {
  return {ErrorKind::protocol_error, 0, "WebSocket handshake", std::move(detail)};
}

}  // namespace

Result<DeflateChoice> choose_deflate(std::string_view offers, const WebSocketDeflate& options) {
  DeflateChoice choice;
  const auto list = Parser(offers).list();
  if (!list) return std::unexpected(broken("Sec-WebSocket-Extensions is malformed"));
  if (!options.enabled) return choice;
  for (const Extension& extension : *list) {
    if (extension.name != deflate_name) continue;
    const auto offer = parameters_of(extension, true);
    if (!offer) continue;  // §7.1: an offer with what we do not know is declined, the next may do
    DeflateAgreement& agreed = choice.agreement;
    agreed.on = true;
    agreed.our_takeover = !options.no_context_takeover && !offer->server_no_takeover;
    agreed.peer_takeover = !options.peer_no_context_takeover && !offer->client_no_takeover;
    set_our_bits(agreed, std::min(options.window_bits, or_15(offer->server_bits)));
    if (offer->client_bits_given)
      agreed.peer_bits = std::min(options.peer_window_bits, or_15(offer->client_bits));
    choice.answer = deflate_name;
    if (!agreed.our_takeover) choice.answer += "; server_no_context_takeover";
    if (!agreed.peer_takeover) choice.answer += "; client_no_context_takeover";
    if (agreed.our_bits < 15 || offer->server_bits != 0)
      choice.answer += fmt::format("; server_max_window_bits={}", agreed.our_bits);
    if (agreed.peer_bits < 15)
      choice.answer += fmt::format("; client_max_window_bits={}", agreed.peer_bits);
    return choice;
  }
  return choice;
}

std::string offer_deflate(const WebSocketDeflate& options) {
  if (!options.enabled) return {};
  std::string offer(deflate_name);
  if (options.no_context_takeover) offer += "; client_no_context_takeover";
  if (options.peer_no_context_takeover) offer += "; server_no_context_takeover";
  offer += "; client_max_window_bits";
  if (options.window_bits < 15) offer += fmt::format("={}", options.window_bits);
  if (options.peer_window_bits < 15)
    offer += fmt::format("; server_max_window_bits={}", options.peer_window_bits);
  return offer;
}

Result<DeflateAgreement> agree_deflate(std::string_view answer, const WebSocketDeflate& options) {
  DeflateAgreement agreed;
  const auto list = Parser(answer).list();
  if (!list) return std::unexpected(broken("the server's Sec-WebSocket-Extensions is malformed"));
  if (list->empty()) return agreed;
  if (!options.enabled || list->size() > 1 || list->front().name != deflate_name)
    return std::unexpected(
        broken(fmt::format("the server chose extensions that were not offered: {}", answer)));
  const auto chosen = parameters_of(list->front(), false);
  if (!chosen)
    return std::unexpected(
        broken(fmt::format("the server's parameters of permessage-deflate are wrong: {}", answer)));
  agreed.on = true;
  agreed.our_takeover = !options.no_context_takeover && !chosen->client_no_takeover;
  agreed.peer_takeover = !chosen->server_no_takeover;
  agreed.peer_bits = or_15(chosen->server_bits);
  if (agreed.peer_bits > options.peer_window_bits)
    return std::unexpected(broken(
        fmt::format("the server's window is {} bits, {} were offered (deflate.peer_window_bits)",
                    agreed.peer_bits, options.peer_window_bits)));
  set_our_bits(agreed, std::min(options.window_bits, or_15(chosen->client_bits)));
  return agreed;
}

}  // namespace hawser::websocket
