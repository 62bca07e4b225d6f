// scrypt and HMAC by OpenSSL.
#include <hawser/hub/password_hash.hpp>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace hawser::hub {
namespace {

constexpr std::size_t salt_bytes = 16;
constexpr std::size_t key_bytes = 32;
constexpr std::uint64_t most_memory = std::uint64_t{1} << 30;

struct Parts {
  std::uint64_t log_n = 15;
  std::uint64_t r = 8;
  std::uint64_t p = 1;
  std::string salt{};
  std::string key{};
};

std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (; !text.empty(); text.remove_prefix(2)) {
    unsigned byte = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + 2, byte, 16);
    if (failure != std::errc{} || end != text.data() + 2) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

Error wrong(std::string what) {
  return {ErrorKind::invalid_argument, 0, "password-hash",
          what + "; `hawser hub --hash-password` makes one"};
}

Result<Parts> parse(std::string_view text) {
  std::vector<std::string_view> fields;
  for (std::string_view rest = text;;) {
    const std::size_t end = rest.find('$');
    fields.push_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (fields.size() != 6 || fields[0] != "scrypt")
    return std::unexpected(wrong("it is not of the form scrypt$15$8$1$SALT$KEY"));
  Parts parts;
  const auto number = [&](std::size_t field, std::uint64_t most, std::uint64_t& target) {
    const auto [end, failure] =
        std::from_chars(fields[field].data(), fields[field].data() + fields[field].size(), target);
    return failure == std::errc{} && end == fields[field].data() + fields[field].size() &&
           target >= 1 && target <= most;
  };
  if (!number(1, 24, parts.log_n) || !number(2, 64, parts.r) || !number(3, 64, parts.p) ||
      (std::uint64_t{128} << parts.log_n) * parts.r > most_memory)
    return std::unexpected(wrong("its numbers are out of bounds"));
  auto salt = from_hex(fields[4]);
  auto key = from_hex(fields[5]);
  if (!salt || salt->size() < 8 || !key || key->size() != key_bytes)
    return std::unexpected(wrong("salt and key are not as many hex digits as they should be"));
  parts.salt = std::move(*salt);
  parts.key = std::move(*key);
  return parts;
}

bool derive(std::string_view password, const Parts& parts, std::string& key) {
  key.assign(key_bytes, '\0');
  return EVP_PBE_scrypt(password.data(), password.size(),
                        reinterpret_cast<const unsigned char*>(parts.salt.data()),
                        parts.salt.size(), std::uint64_t{1} << parts.log_n, parts.r, parts.p,
                        most_memory + (std::uint64_t{16} << 20),
                        reinterpret_cast<unsigned char*>(key.data()), key.size()) == 1;
}

bool random_bytes(std::string& out, std::size_t count) {
  out.assign(count, '\0');
  return RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) == 1;
}

}  // namespace

Result<std::string> hash_password(std::string_view password) {
  Parts parts;
  if (!random_bytes(parts.salt, salt_bytes) || !derive(password, parts, parts.key))
    return std::unexpected(
        Error{ErrorKind::unsupported, 0, "hash-password", "OpenSSL could not compute scrypt"});
  return fmt::format("scrypt${}${}${}${}${}", parts.log_n, parts.r, parts.p, to_hex(parts.salt),
                     to_hex(parts.key));
}

Result<void> check_password_hash(std::string_view hash) {
  if (auto parts = parse(hash); !parts) return std::unexpected(std::move(parts.error()));
  return {};
}

bool verify_password(std::string_view password, std::string_view hash) {
  const auto parts = parse(hash);
  std::string key;
  return parts && derive(password, *parts, key) && PasswordMemo::equal(key, parts->key);
}

PasswordMemo::PasswordMemo() {
  // Without chance there is nothing to be remembered safely: an empty key turns the memo off.
  if (!random_bytes(key_, key_bytes)) key_.clear();
}

PasswordMemo::~PasswordMemo() { OPENSSL_cleanse(key_.data(), key_.size()); }

std::string PasswordMemo::digest(std::string_view login, std::string_view password,
                                 std::string_view hash) const {
  if (key_.empty()) return {};
  const std::string text =
      fmt::format("{}:{}:{}{}{}", login.size(), password.size(), login, password, hash);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
           &size) == nullptr)
    return {};
  return {reinterpret_cast<const char*>(digest.data()), size};
}

bool PasswordMemo::equal(std::string_view left, std::string_view right) noexcept {
  return !left.empty() && left.size() == right.size() &&
         CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace hawser::hub
