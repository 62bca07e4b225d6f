// Where a client may connect: one target as people write it, and a list of them with the order in
// which they are tried. Public; plain values, pure: no look-up, no clock, no chance of their own.
//
//   TargetList targets({"broker-1:61613", "broker-2:61613"}, TargetOrder::round_robin);
//   for (;;) {
//     const Target& target = targets.next(random);
//     if (connect(target.dial_options()))  targets.connected(target);     // and when it is lost…
//     else if (targets.cycle_over())       wait_for_the_back_off();       // each was tried once
//   }
#pragma once

#include <hawser/base/random.hpp>
#include <hawser/base/result.hpp>
#include <hawser/engine/address.hpp>
#include <hawser/net/dial_options.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// One place: a host's name with a port (looked up at each dialing anew), or an address.
class Target {
 public:
  explicit Target(Address address);

  /// Reads "broker.example:61613", "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80",
  /// "unix:/run/x.sock", "unix:@abstract". Ports are 1 to 65535. A name is 1 to 253 bytes of
  /// letters, digits, '-' and '_' in labels of at most 63; others in their ASCII form (xn--…).
  /// Errors: invalid_argument; the text names what is wrong.
  static Result<Target> parse(std::string_view text);

  /// Set when no look-up is needed.
  const std::optional<Address>& address() const noexcept { return address_; }
  /// The name, or the IP address as text: what a certificate is checked against. "" for Unix
  /// sockets, whose port is 0.
  const std::string& host() const noexcept { return host_; }
  std::uint16_t port() const noexcept { return port_; }

  /// `base` with the place filled in.
  DialOptions dial_options(DialOptions base = {}) const;
  /// The form that parse() reads.
  std::string text() const;

  friend bool operator==(const Target&, const Target&) = default;

 private:
  Target(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}
  std::string host_;
  std::uint16_t port_ = 0;
  std::optional<Address> address_;
};

enum class TargetOrder : std::uint8_t {
  /// Always from the first: a primary, and others for when it is away. After each connection, and
  /// when all have been tried, it begins with the first again.
  in_order,
  /// Goes on after the one that was used last, so that a client wanders over all of them.
  round_robin,
  /// Each cycle in an order of its own, so that many clients spread.
  random,
};

/// Targets and where the client stands among them. A cycle tries each target once; a connection
/// ends it.
class TargetList {
 public:
  static constexpr std::size_t most_targets = 64;

  TargetList() = default;
  /// Of texts as Target::parse reads them; what is wrong with them is kept for faults().
  TargetList(std::initializer_list<std::string_view> texts,
             TargetOrder order = TargetOrder::in_order);
  explicit TargetList(const std::vector<std::string>& texts,
                      TargetOrder order = TargetOrder::in_order);
  explicit TargetList(const std::vector<Target>& targets,
                      TargetOrder order = TargetOrder::in_order);
  /// A list of one.
  TargetList(const char* text) : TargetList({std::string_view(text)}) {}
  TargetList(const std::string& text) : TargetList({std::string_view(text)}) {}
  TargetList(Target target);

  /// "targets: what is wrong" for each text that cannot be read, for one that is there twice, for
  /// more than 64, and for none at all.
  std::vector<std::string> faults() const;

  /// The one to try now. The reference holds as long as the list. Only for a list that is not
  /// empty. Draws from `random` only in the order `random`, once a cycle.
  const Target& next(Random& random);
  /// `target` was reached: the cycle is over, and the next one begins as the order says. A target
  /// that is not of this list is as if the cycle had been given up.
  void connected(const Target& target);
  /// Each target has been tried since the cycle began: time to wait. Also before the first next().
  bool cycle_over() const noexcept { return tried_ == 0; }

  bool empty() const noexcept { return targets_.empty(); }
  std::size_t size() const noexcept { return targets_.size(); }
  const std::vector<Target>& targets() const noexcept { return targets_; }
  TargetOrder order() const noexcept { return order_; }
  /// "a:1, b:2", for logs.
  std::string text() const;

 private:
  void add_text(std::string_view text);
  void add(Target target);
  void begin_cycle(Random& random);

  std::vector<Target> targets_;
  std::vector<std::string> faults_;
  TargetOrder order_ = TargetOrder::in_order;
  std::vector<std::size_t> cycle_;  // places in targets_, in the order of this cycle
  std::size_t start_ = 0;           // round_robin: the next cycle's first
  std::size_t tried_ = 0;           // of this cycle; 0 = the next one begins a cycle
};

}  // namespace hawser
