// Targets as text, and the walk over a list of them.
#include <hawser/net/target.hpp>

#include <hawser/base/check.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <utility>

namespace hawser {

namespace {

std::unexpected<Error> bad(std::string_view text, std::string_view why) {
  constexpr std::size_t shown = 300;  // longer than anything that could be right
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "target",
                               fmt::format("\"{}\" {}", text.substr(0, shown), why)});
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_name_character(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/// What is wrong with a host's name; "" when nothing is.
std::string_view fault_of_name(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);  // the root: an absolute name
  if (name.empty()) return "names no host";
  if (name.size() > 253) return "has a host name of more than 253 bytes";
  std::string_view label;
  for (std::string_view rest = name;;) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63)
      return "has a label in its host name of 0 or > 63 bytes";
    if (!std::ranges::all_of(label, is_name_character)) {
      return "has a character in its host name that is neither letter, digit, '-' nor '_' "
             "(international names: write their xn-- form)";
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // No top-level domain is a number, but many a mistyped address ends in one.
  if (std::ranges::all_of(label, is_digit)) return "looks like an IPv4 address and is none";
  return {};
}

/// "[fe80::1%eth0]": the interface by its name, which only the resolver can read.
bool is_scoped_by_name(std::string_view inside) {
  const std::size_t percent = inside.find('%');
  if (percent == std::string_view::npos) return false;
  const std::string_view scope = inside.substr(percent + 1);
  constexpr std::size_t longest = 15;  // IFNAMSIZ without its terminator
  const auto fits = [](char c) { return is_name_character(c) || c == '.'; };
  return !scope.empty() && scope.size() <= longest && std::ranges::all_of(scope, fits) &&
         !std::ranges::all_of(scope, is_digit) &&
         Address::parse(fmt::format("[{}]:1", inside.substr(0, percent))).has_value();
}

}  // namespace

Target::Target(Address address)
    : host_(address.is_unix() ? std::string() : address.host()),
      port_(address.port()),
      address_(std::move(address)) {}

Result<Target> Target::parse(std::string_view text) {
  if (text.starts_with("unix:")) {
    auto address = Address::parse(text);
    if (!address) return std::unexpected(std::move(address).error());
    return Target(*std::move(address));
  }
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos)
    return bad(text, "has a scheme: write host:port alone");

  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && bracket > colon))
    return bad(text, "has no port: write host:port");
  const std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (code != std::errc{} || stop != digits.data() + digits.size() || port == 0)
    return bad(text, "has no port from 1 to 65535 at its end");

  if (host.starts_with('[')) {
    auto address = Address::parse(text);
    if (address) return Target(*std::move(address));
    if (host.ends_with(']') && is_scoped_by_name(host.substr(1, host.size() - 2)))
      return Target(std::string(host.substr(1, host.size() - 2)), port);
    return std::unexpected(std::move(address).error());
  }
  if (host.find(':') != std::string_view::npos)
    return bad(text, "looks like IPv6: write [IPv6]:port");
  if (host == "*") return bad(text, "names no host: * is for listening");
  if (host.empty()) return bad(text, "names no host");
  if (auto address = Address::parse(text)) return Target(*std::move(address));
  if (const std::string_view fault = fault_of_name(host); !fault.empty()) return bad(text, fault);
  return Target(std::string(host), port);
}

DialOptions Target::dial_options(DialOptions base) const {
  base.host = host_;
  base.port = port_;
  base.address = address_;
  return base;
}

std::string Target::text() const {
  if (address_) return address_->text();
  return host_.find(':') == std::string::npos ? fmt::format("{}:{}", host_, port_)
                                              : fmt::format("[{}]:{}", host_, port_);
}

TargetList::TargetList(std::initializer_list<std::string_view> texts, TargetOrder order)
    : order_(order) {
  for (const std::string_view text : texts) add_text(text);
}

TargetList::TargetList(const std::vector<std::string>& texts, TargetOrder order) : order_(order) {
  for (const std::string& text : texts) add_text(text);
}

TargetList::TargetList(const std::vector<Target>& targets, TargetOrder order) : order_(order) {
  for (const Target& target : targets) add(target);
}

TargetList::TargetList(Target target) { add(std::move(target)); }

void TargetList::add_text(std::string_view text) {
  if (auto target = Target::parse(text)) {
    add(*std::move(target));
  } else {
    faults_.push_back("targets: " + target.error().detail);
  }
}

void TargetList::add(Target target) {
  if (std::ranges::find(targets_, target) != targets_.end()) {
    faults_.push_back(fmt::format("targets: \"{}\" is there twice", target.text()));
    return;
  }
  targets_.push_back(std::move(target));
}

std::vector<std::string> TargetList::faults() const {
  std::vector<std::string> faults = faults_;
  if (targets_.empty() && faults.empty()) faults.emplace_back("targets: there is none");
  if (targets_.size() > most_targets)
    faults.push_back(
        fmt::format("targets: there are {}, {} at most", targets_.size(), most_targets));
  return faults;
}

void TargetList::begin_cycle(Random& random) {
  cycle_.resize(targets_.size());
  std::iota(cycle_.begin(), cycle_.end(), std::size_t{0});
  if (order_ == TargetOrder::round_robin) {
    std::ranges::rotate(cycle_, cycle_.begin() + static_cast<std::ptrdiff_t>(start_));
  }
  if (order_ == TargetOrder::random) {
    // By hand: std::shuffle may draw differently from one library to the next, and then the same
    // seed would not be the same run.
    for (std::size_t i = cycle_.size(); i > 1; --i)
      std::swap(cycle_[i - 1], cycle_[random.below(i)]);
  }
}

const Target& TargetList::next(Random& random) {
  check(!targets_.empty(), "TargetList::next on an empty list");
  if (tried_ == 0) begin_cycle(random);
  const Target& target = targets_[cycle_[tried_]];
  tried_ = (tried_ + 1) % cycle_.size();
  return target;
}

void TargetList::connected(const Target& target) {
  tried_ = 0;
  const auto place = std::ranges::find(targets_, target);
  if (place != targets_.end())
    start_ = (static_cast<std::size_t>(place - targets_.begin()) + 1) % targets_.size();
}

std::string TargetList::text() const {
  std::string text;
  for (const Target& target : targets_) text += (text.empty() ? "" : ", ") + target.text();
  return text;
}

}  // namespace hawser
