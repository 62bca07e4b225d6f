// Version lists and their highest common entry.
#include <hawser/stomp/version.hpp>

#include <hawser/stomp/fault.hpp>

#include <fmt/format.h>

namespace hawser::stomp {

namespace {
constexpr Version versions[] = {Version::v1_0, Version::v1_1, Version::v1_2};
}  // namespace

BytesView to_string(Version version) noexcept {
  switch (version) {
    case Version::v1_0:
      return "1.0";
    case Version::v1_1:
      return "1.1";
    case Version::v1_2:
      return "1.2";
  }
  return "1.2";
}

std::optional<Version> find_version(BytesView name) noexcept {
  for (Version version : versions) {
    if (name == to_string(version)) return version;
  }
  return std::nullopt;
}

std::optional<Version> VersionSet::highest_common(VersionSet other) const noexcept {
  std::optional<Version> highest;
  for (Version version : versions) {
    if (contains(version) && other.contains(version)) highest = version;
  }
  return highest;
}

Bytes VersionSet::to_list() const {
  Bytes list;
  for (Version version : versions) {
    if (!contains(version)) continue;
    if (!list.empty()) list += ',';
    list += to_string(version);
  }
  return list;
}

VersionSet parse_accept_version(std::optional<BytesView> header) {
  if (!header) return {Version::v1_0};
  VersionSet offered;
  BytesView rest = *header;
  for (;;) {
    const std::size_t comma = rest.find(',');
    if (const auto version = find_version(trimmed(rest.substr(0, comma)))) offered.add(*version);
    if (comma == BytesView::npos) return offered;
    rest.remove_prefix(comma + 1);
  }
}

Result<Version> negotiate(std::optional<BytesView> accept_version, VersionSet supported) {
  if (const auto version = parse_accept_version(accept_version).highest_common(supported)) {
    return *version;
  }
  return std::unexpected(Error{
      ErrorKind::unsupported, 0, "negotiate",
      fmt::format("no common version: the client accepts {}, the server speaks {}",
                  accept_version ? quoted(*accept_version) : "\"1.0\"", supported.to_list())});
}

Result<Version> agreed_version(std::optional<BytesView> version, VersionSet offered) {
  const auto agreed = version ? find_version(trimmed(*version)) : Version::v1_0;
  if (agreed && offered.contains(*agreed)) return *agreed;
  return std::unexpected(Error{
      ErrorKind::protocol_error, 0, "negotiate",
      fmt::format("the server chose version {}, offered were {}",
                  version ? quoted(*version) : "\"1.0\" (no version header)", offered.to_list())});
}

BytesView subprotocol(Version version) noexcept {
  switch (version) {
    case Version::v1_0:
      return "v10.stomp";
    case Version::v1_1:
      return "v11.stomp";
    case Version::v1_2:
      return "v12.stomp";
  }
  return "v12.stomp";
}

std::optional<Version> find_subprotocol(BytesView name) noexcept {
  for (Version version : versions) {
    if (name == subprotocol(version)) return version;
  }
  return std::nullopt;
}

}  // namespace hawser::stomp
