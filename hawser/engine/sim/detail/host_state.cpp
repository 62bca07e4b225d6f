// Descriptors lowest first, ephemeral ports in turn, and the choice of a source address.
#include <hawser/engine/sim/detail/host_state.hpp>

#include <algorithm>

#include <utility>

namespace hawser::sim::detail {

namespace {
constexpr int first_descriptor = 3;  // 0, 1 and 2 are taken in every program
constexpr std::uint16_t first_ephemeral = 32'768;
constexpr std::uint16_t last_ephemeral = 60'999;
}  // namespace

Ip Ip::of(const Address& address) noexcept {
  const auto& octets = address.octets();
  Ip ip;
  if (address.family() == Address::Family::ipv4) {
    ip.low = 0xffff;
    for (std::size_t index = 0; index < 4; ++index) ip.low = (ip.low << 8U) | octets[index];
    return ip;
  }
  for (std::size_t index = 0; index < 8; ++index) {
    ip.high = (ip.high << 8U) | octets[index];
    ip.low = (ip.low << 8U) | octets[index + 8];
  }
  return ip;
}

bool serves(const Address& bound, bool ipv6_only, const Ip& to) noexcept {
  const Ip own = Ip::of(bound);
  if (own == to) return true;
  if (!own.is_any()) return false;
  return own.is_v4() ? to.is_v4() : !to.is_v4() || !ipv6_only;
}

bool overlap(const Address& left, bool left_v6_only, const Address& right,
             bool right_v6_only) noexcept {
  return serves(left, left_v6_only, Ip::of(right)) || serves(right, right_v6_only, Ip::of(left));
}

bool HostState::owns(const Ip& ip) const noexcept {
  return ip.is_loopback() || ip.is_any() || interface_of(ip) != nullptr;
}

const Interface* HostState::interface_of(const Ip& ip) const noexcept {
  for (const Interface& interface : interfaces) {
    if (Ip::of(interface.address) == ip) return &interface;
  }
  return nullptr;
}

std::optional<Address> HostState::source_for(const Address& remote) const {
  const Ip ip = Ip::of(remote);
  if (owns(ip)) {
    if (!ip.is_any()) return remote.with_port(0);
    return remote.family() == Address::Family::ipv4
               ? Address::loopback(0)
               : Address::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0);
  }
  const Interface* other = nullptr;
  for (const Interface& interface : interfaces) {
    if (interface.address.family() != remote.family()) continue;
    const Ip own = Ip::of(interface.address);
    if (own.is_v4() && ((own.v4() ^ ip.v4()) >> (32U - interface.prefix)) == 0) {
      return interface.address;
    }
    if (other == nullptr) other = &interface;
  }
  if (other == nullptr) return std::nullopt;
  return other->address;
}

int HostState::take_descriptor(DescriptorKind kind) {
  if (open_ >= descriptor_limit) return -1;
  int number = first_descriptor + static_cast<int>(descriptors_.size());
  if (!vacant_.empty()) {
    number = vacant_.top();
    vacant_.pop();
  } else {
    descriptors_.emplace_back();
  }
  descriptors_[static_cast<std::size_t>(number - first_descriptor)].kind = kind;
  ++open_;
  return number;
}

void HostState::free_descriptor(int number) noexcept {
  if (Descriptor* descriptor = find(number)) {
    *descriptor = Descriptor{};
    vacant_.push(number);
    --open_;
  }
}

Descriptor* HostState::find(int number) noexcept {
  const auto place = static_cast<std::size_t>(number - first_descriptor);
  if (number < first_descriptor || place >= descriptors_.size()) return nullptr;
  Descriptor& descriptor = descriptors_[place];
  return descriptor.kind == DescriptorKind::vacant ? nullptr : &descriptor;
}

void HostState::notify(int number, Readiness what) {
  const Descriptor* descriptor = find(number);
  if (descriptor != nullptr && descriptor->watcher != nullptr) {
    descriptor->watcher->ready(descriptor->watched_as, what);
  }
}

void HostState::forget_everything() {
  descriptors_.clear();
  vacant_ = {};
  open_ = 0;
  listeners.clear();
  datagrams.clear();
  interface_watches.clear();
  for (auto& [path, number] : unix_paths) number = -1;
  ephemeral_.assign(ephemeral_.size(), false);
  std::ranges::fill(blocking_threads, Instant{});
}

std::uint16_t HostState::take_ephemeral() {
  for (unsigned tries = 0; tries <= last_ephemeral - first_ephemeral; ++tries) {
    const std::uint16_t port = next_ephemeral_;
    next_ephemeral_ =
        port == last_ephemeral ? first_ephemeral : static_cast<std::uint16_t>(port + 1);
    if (ephemeral_[port] || listeners.contains(port)) continue;
    ephemeral_[port] = true;
    return port;
  }
  return 0;
}

void HostState::free_ephemeral(std::uint16_t port) noexcept { ephemeral_[port] = false; }

std::vector<NetworkInterface> HostState::list_interfaces() const {
  std::vector<NetworkInterface> all;
  all.push_back({"lo", 1, true, true, false, {{Address::loopback(0), 8}}});
  for (const Interface& interface : interfaces) {
    NetworkInterface::Network network{interface.address, interface.prefix};
    const Ip ip = Ip::of(interface.address);
    if (ip.is_v4() && interface.prefix < 31) {
      const std::uint32_t everybody = ip.v4() | UINT32_MAX >> interface.prefix;
      network.broadcast = Address::ipv4(
          {static_cast<std::uint8_t>(everybody >> 24U), static_cast<std::uint8_t>(everybody >> 16U),
           static_cast<std::uint8_t>(everybody >> 8U), static_cast<std::uint8_t>(everybody)},
          0);
    }
    all.push_back({"net" + std::to_string(interface.index - 2),
                   interface.index,
                   true,
                   false,
                   true,
                   {std::move(network)}});
  }
  return all;
}

}  // namespace hawser::sim::detail
