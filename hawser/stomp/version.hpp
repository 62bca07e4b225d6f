// Protocol versions and how two peers agree on one (stomp.md 2.3, N-01 to N-05). Public; plain
// values.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <initializer_list>
#include <optional>

namespace hawser::stomp {

enum class Version : unsigned char { v1_0, v1_1, v1_2 };

/// "1.0", "1.1" or "1.2".
BytesView to_string(Version version) noexcept;

/// The version named exactly so; nothing for any other text.
std::optional<Version> find_version(BytesView name) noexcept;

/// Some of the three versions.
class VersionSet {
 public:
  constexpr VersionSet() noexcept = default;
  constexpr VersionSet(std::initializer_list<Version> versions) noexcept {
    for (Version version : versions) add(version);
  }
  static constexpr VersionSet all() noexcept {
    return {Version::v1_0, Version::v1_1, Version::v1_2};
  }

  constexpr void add(Version version) noexcept {
    bits_ = static_cast<unsigned char>(bits_ | bit(version));
  }
  constexpr bool contains(Version version) const noexcept { return (bits_ & bit(version)) != 0; }
  constexpr bool empty() const noexcept { return bits_ == 0; }

  /// The highest version in both sets; nothing when they have none in common.
  std::optional<Version> highest_common(VersionSet other) const noexcept;

  /// "1.0,1.1,1.2", ascending: the value of `accept-version` and of an ERROR's `version`.
  Bytes to_list() const;

  friend constexpr bool operator==(VersionSet, VersionSet) noexcept = default;

 private:
  static constexpr unsigned bit(Version version) noexcept {
    return 1U << static_cast<unsigned>(version);
  }
  unsigned char bits_ = 0;
};

/// Reads an `accept-version` value: any order, blanks and unknown versions ignored. A missing
/// header means 1.0 (N-01).
VersionSet parse_accept_version(std::optional<BytesView> header);

/// Broker side: the highest version that both sides know (N-02). `unsupported` when there is none
/// (N-04): answer with an ERROR whose `version` is `supported.to_list()`, and close.
Result<Version> negotiate(std::optional<BytesView> accept_version, VersionSet supported);

/// Client side: the version of a CONNECTED frame. A missing header means 1.0 (N-03);
/// `protocol_error` for a version that was not offered (N-05) or that does not exist.
Result<Version> agreed_version(std::optional<BytesView> version, VersionSet offered);

/// The WebSocket sub-protocol of a version: "v12.stomp" (W-01).
BytesView subprotocol(Version version) noexcept;
std::optional<Version> find_subprotocol(BytesView name) noexcept;

}  // namespace hawser::stomp
