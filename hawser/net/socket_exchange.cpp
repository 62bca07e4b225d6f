// A list behind a lock; what concerns a socket itself is done on its scheduler.
#include <hawser/net/socket_exchange.hpp>

#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace hawser {

namespace {
bool same_place(const Address& asked, const Address& bound) {
  if (asked.family() == Address::Family::none) return true;
  return asked == bound ||
         (asked.port() == 0 && !asked.is_unix() && asked.with_port(bound.port()) == bound);
}
}  // namespace

SocketExchange::SocketExchange(std::vector<InheritedSocket> inherited) {
  for (InheritedSocket& socket : inherited) {
    names_.push_back(socket.name);
    inherited_.push_back({std::move(socket), false});
  }
}

std::vector<std::string> SocketExchange::unused() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const Entry& entry : inherited_) {
    if (!entry.used) names.push_back(entry.socket.name);
  }
  return names;
}

void SocketExchange::settle() {
  const std::lock_guard lock(mutex_);
  settled_ = true;
  for (const Offer& offer : offers_) {
    if (offer.leave_at_close) continue;
    offer.scheduler->post([scheduler = offer.scheduler, id = offer.socket] {
      scheduler->engine().set_leave_at_close(id, false);
    });
  }
}

std::optional<InheritedSocket> SocketExchange::take(std::string_view name, const Address& address) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(inherited_.begin(), inherited_.end(), [&](const Entry& entry) {
    return entry.socket.name == name && same_place(address, entry.socket.address);
  });
  if (found == inherited_.end()) return std::nullopt;
  InheritedSocket socket = std::move(found->socket);
  inherited_.erase(found);
  return socket;
}

void SocketExchange::keep(InheritedSocket socket) {
  const std::lock_guard lock(mutex_);
  inherited_.push_back({std::move(socket), true});
}

void SocketExchange::offer(Offer offer) {
  const std::lock_guard lock(mutex_);
  std::erase_if(offers_, [&](const Offer& other) {
    return other.server == offer.server && other.listener == offer.listener;
  });
  offers_.push_back(std::move(offer));
}

std::vector<SocketExchange::Offer> SocketExchange::offers() const {
  const std::lock_guard lock(mutex_);
  return offers_;
}

bool SocketExchange::settled() const {
  const std::lock_guard lock(mutex_);
  return settled_;
}

std::string SocketExchange::names() const {
  const std::lock_guard lock(mutex_);
  return names_.empty() ? "none" : fmt::format("{}", fmt::join(names_, ", "));
}

}  // namespace hawser
