// The value through which processes reach a bus, and the supervisor that holds its shards.
#include <hawser/bus/bus.hpp>

#include <hawser/bus/detail/shard.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/spawn.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace hawser::bus {
namespace {
std::string shard_name(std::string_view bus, unsigned number) {
  return fmt::format("bus/{}/{}", bus, number);
}

template <class Request>
void tell(Pid shard, Request request) {
  Ref<detail::Shard>(shard).cast(std::move(request));
}
}  // namespace

BusStatistics& BusStatistics::operator+=(const BusStatistics& other) noexcept {
  published += other.published;
  delivered += other.delivered;
  dropped += other.dropped;
  refused += other.refused;
  topics += other.topics;
  queues += other.queues;
  subscriptions += other.subscriptions;
  waiting_messages += other.waiting_messages;
  waiting_bytes += other.waiting_bytes;
  return *this;
}

Result<Bus> Bus::find(System& system, std::string_view name) {
  Bus bus;
  // With one missing, the others would be taken for all of them, and destinations for theirs.
  bool whole = true;
  for (unsigned number = 0; number < system.scheduler_count(); ++number) {
    bus.shards_.push_back(system.whereis(shard_name(name, number)));
    whole = whole && bus.shards_.back();
  }
  if (whole) return bus;
  if (std::ranges::any_of(bus.shards_, [](Pid shard) { return static_cast<bool>(shard); }))
    return std::unexpected(Error{ErrorKind::closed, 0, "bus",
                                 fmt::format("a shard of bus \"{}\" restarts; try again", name)});
  return std::unexpected(
      Error{ErrorKind::not_found, 0, "bus",
            fmt::format("there is no bus \"{}\"; start bus_child(\"{}\") first", name, name)});
}

Pid Bus::shard_of(const Destination& destination) const noexcept {
  if (shards_.size() == 1) return shards_.front();
  const std::size_t hash =
      std::hash<std::string>{}(destination.name) + static_cast<std::size_t>(destination.kind);
  return shards_[hash % shards_.size()];
}

void Bus::publish(const Destination& destination, MessagePtr message, Pid publisher,
                  std::uint64_t token) const {
  tell(shard_of(destination), detail::Publish{destination, std::move(message), publisher, token});
}

void Bus::subscribe(const Destination& destination, SubscriptionId id, std::uint32_t credit,
                    std::uint64_t token) const {
  tell(shard_of(destination), detail::Subscribe{destination, id, credit, token});
}

void Bus::unsubscribe(const Destination& destination, SubscriptionId id, std::uint32_t taken,
                      std::uint64_t token) const {
  tell(shard_of(destination), detail::Unsubscribe{destination, id, taken, token});
}

void Bus::grant(const Destination& destination, SubscriptionId id, std::uint32_t credit) const {
  tell(shard_of(destination), detail::Grant{destination, id, credit});
}

ChildSpec bus_child(std::string name, BusOptions options) {
  ChildSpec spec;
  spec.id = "bus/" + name;
  spec.supervisor = true;
  spec.shutdown = Duration::max();
  spec.start = [name, options, id = spec.id](const StartContext& context) {
    // Only here is it known how many schedulers there are.
    const unsigned count = context.scheduler.system().scheduler_count();
    SupervisorOptions children;
    for (unsigned number = 0; number < count; ++number) {
      ChildSpec shard;
      shard.id = shard_name(name, number);
      shard.scheduler = number;
      shard.start = [options, shard_id = shard.id](const StartContext& place) -> Result<Pid> {
        auto spawned = spawn<detail::Shard>(place.scheduler,
                                            {.name = shard_id, .parent = place.parent}, options);
        if (!spawned) return std::unexpected(std::move(spawned.error()));
        return spawned->pid();
      };
      children.children.push_back(std::move(shard));
    }
    return supervisor(id, std::move(children)).start(context);
  };
  return spec;
}

Result<BusStatistics> bus_statistics(System& system, std::string_view name) {
  const auto bus = Bus::find(system, name);
  if (!bus) return std::unexpected(bus.error());
  BusStatistics sums;
  for (const Pid shard : bus->shards()) {
    const auto one = system.call(Ref<detail::Shard>(shard), detail::GetStatistics{});
    if (!one) return std::unexpected(one.error());
    sums += *one;
  }
  return sums;
}

Task<Result<BusStatistics>> bus_statistics(std::string name) {
  const auto bus = Bus::find(self().system(), name);
  if (!bus) co_return std::unexpected(bus.error());
  BusStatistics sums;
  for (const Pid shard : bus->shards()) {
    const detail::GetStatistics request;
    const Result<BusStatistics> one = co_await Ref<detail::Shard>(shard).call(request);
    if (!one) co_return std::unexpected(one.error());
    sums += *one;
  }
  co_return sums;
}

}  // namespace hawser::bus
