// JSON bodies as values, for those who ask for them (stomp.md P-25). Public; plain values, pure.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hawser::stomp {

/// A JSON value (RFC 8259). Objects keep their members' order and their duplicates.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;
  using Value =
      std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;

  Json() noexcept = default;
  explicit Json(Value value) : value_(std::move(value)) {}

  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(value_); }
  /// nullptr when it is of another kind. A number without fraction or exponent that fits 64 bits is
  /// an integer, any other a double.
  const bool* boolean() const noexcept { return std::get_if<bool>(&value_); }
  const std::int64_t* integer() const noexcept { return std::get_if<std::int64_t>(&value_); }
  const double* real() const noexcept { return std::get_if<double>(&value_); }
  const std::string* text() const noexcept { return std::get_if<std::string>(&value_); }
  const Array* array() const noexcept { return std::get_if<Array>(&value_); }
  const Object* object() const noexcept { return std::get_if<Object>(&value_); }

  /// The first member of that name; nullptr when there is none, or this is no object.
  const Json* find(std::string_view name) const noexcept;

  friend bool operator==(const Json&, const Json&) = default;

 private:
  Value value_{nullptr};
};

/// The whole of `text` as one value. protocol_error tells what is wrong at which octet; nesting
/// beyond `depth` is an error too.
Result<Json> parse_json(BytesView text, std::size_t depth = 64);

}  // namespace hawser::stomp
