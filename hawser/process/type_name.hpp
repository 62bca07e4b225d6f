// A type's name and identity without RTTI, for messages, crash reports and the observer. Public.
#pragma once

#include <string_view>

namespace hawser {

/// One per type. Two objects of one type compare by name too: a handler loaded from a shared object
/// may have its own copy of this.
struct TypeInfo {
  std::string_view name;
};

namespace detail {
template <class T>
consteval std::string_view type_name() {
  // "consteval std::string_view hawser::detail::type_name() [with T = X; …]" or "[T = X]".
  const std::string_view whole = __PRETTY_FUNCTION__;
  const auto begin = whole.find("T = ") + 4;
  auto end = whole.find(';', begin);
  if (end == std::string_view::npos) end = whole.rfind(']');
  return whole.substr(begin, end - begin);
}
}  // namespace detail

template <class T>
inline constexpr TypeInfo type_info{detail::type_name<T>()};

inline bool same_type(const TypeInfo& left, const TypeInfo& right) noexcept {
  return &left == &right || left.name == right.name;
}

}  // namespace hawser
