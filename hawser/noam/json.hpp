// JSON as Noam needs it: where the values of a message begin and end in its text, so that they can
// be checked and passed on without being built and written anew. Public; pure functions, any
// thread. Strict (RFC 8259): UTF-8 is checked, nothing may follow the value.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace hawser::noam {

/// Arrays and objects within each other that are accepted; deeper ones are a protocol_error.
inline constexpr unsigned json_depth = 64;

/// Whether `text` is one JSON value; protocol_error says what is wrong and at which byte. It will
/// stand within so many arrays and objects.
Result<void> check_json(BytesView text, unsigned within = 0);

/// The first elements of the array that `text` is: as many as `elements` has room for are stored,
/// each its own text without blanks around it; answers how many there are in all. protocol_error:
/// no JSON, or no array.
Result<std::size_t> json_elements(BytesView text, std::span<BytesView> elements);

/// Calls `visit` with each element of an array, each as its own text; false: `text` is none. The
/// text must have passed check_json or come out of it.
bool json_each(BytesView array, const std::function<void(BytesView element)>& visit);

/// The value of an object's member, the last one of that name; nothing when there is none, or
/// `object` is no object. The same about `object` as above.
std::optional<BytesView> json_member(BytesView object, BytesView name);

/// Calls `visit` with each member of an object: the name as a checked string with its quotes, and
/// the value. False: `object` is none. The same about the text as above.
bool json_members(BytesView object,
                  const std::function<void(BytesView name, BytesView value)>& visit);

/// What a checked value means; nothing when it is of another kind. A \u escape that is half of a
/// surrogate pair becomes U+FFFD. Numbers beyond a double's range are infinite.
std::optional<std::string> json_to_string(BytesView value);
std::optional<double> json_to_number(BytesView value);
std::optional<bool> json_to_bool(BytesView value);

/// The text of a checked string without its quotes: a view of it when it holds no escape, else
/// decoded into `scratch`. Nothing when it is no string.
std::optional<BytesView> json_string_view(BytesView value, std::string& scratch);

/// `text`, which should be UTF-8 (what is not becomes U+FFFD), as a JSON string with its quotes.
/// ASCII only, if so wanted: everything above U+007F is escaped.
void append_json_string(std::string& out, BytesView text, bool ascii = true);
std::string json_string(BytesView text, bool ascii = true);
std::string json_number(double number);

/// Appends a checked value with everything above U+007F escaped, otherwise as it is.
void append_json_ascii(std::string& out, BytesView value);

}  // namespace hawser::noam
