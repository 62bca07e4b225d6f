// The value through which processes find a bus, and the supervisor that holds its shards.
#include <hawser/bus/bus.hpp>

#include <hawser/bus/detail/shard.hpp>
#include <hawser/bus/detail/store_writer.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/spawn.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

namespace hawser::bus {
namespace {
std::string shard_name(std::string_view bus, unsigned number) {
  return fmt::format("bus/{}/{}", bus, number);
}
}  // namespace

std::uint32_t detail::shard_index(const Destination& to, std::uint32_t count) noexcept {
  if (count <= 1) return 0;
  // One shard has all topics, so that a pattern's subscriber needs one subscription and has one
  // order; and what topics fill, so that a message goes to all of it at once.
  if (to.kind != Destination::Kind::queue) return count - 1;
  std::string_view name = to.name;
  // Beside the queue it serves: a message moves there in one step.
  if (name.starts_with(dead_letter_prefix)) name.remove_prefix(dead_letter_prefix.size());
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(name) % count);
}

BusStatistics& BusStatistics::operator+=(const BusStatistics& other) noexcept {
  published += other.published;
  delivered += other.delivered;
  settled += other.settled;
  redelivered += other.redelivered;
  dropped += other.dropped;
  expired += other.expired;
  dead_lettered += other.dead_lettered;
  refused += other.refused;
  topics += other.topics;
  queues += other.queues;
  subscriptions += other.subscriptions;
  waiting_messages += other.waiting_messages;
  waiting_bytes += other.waiting_bytes;
  unsettled_messages += other.unsettled_messages;
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

std::size_t Bus::shard_of(const Destination& destination) const noexcept {
  return detail::shard_index(destination, static_cast<std::uint32_t>(shards_.size()));
}

ChildSpec bus_child(std::string name, BusOptions options) {
  ChildSpec spec;
  spec.id = "bus/" + name;
  spec.supervisor = true;
  spec.shutdown = Duration::max();
  auto shared = std::make_shared<const BusOptions>(std::move(options));
  spec.start = [name, shared, id = spec.id](const StartContext& context) {
    // Only here is it known how many schedulers there are.
    const unsigned count = context.scheduler.system().scheduler_count();
    SupervisorOptions children;
    if (shared->store != nullptr) {
      ChildSpec writer;
      writer.id = detail::store_writer_name(name);
      writer.scheduler = 0;
      writer.shutdown = 30s;  // what it still has to write
      writer.start = [shared, writer_id = writer.id](const StartContext& place) -> Result<Pid> {
        auto spawned = spawn<detail::StoreWriter>(
            place.scheduler, {.name = writer_id, .parent = place.parent}, shared->store);
        if (!spawned) return std::unexpected(std::move(spawned.error()));
        return spawned->pid();
      };
      children.children.push_back(std::move(writer));
    }
    for (unsigned number = 0; number < count; ++number) {
      ChildSpec shard;
      shard.id = shard_name(name, number);
      shard.scheduler = number;
      shard.start = [name, shared, number, count,
                     shard_id = shard.id](const StartContext& place) -> Result<Pid> {
        auto spawned =
            spawn<detail::Shard>(place.scheduler, {.name = shard_id, .parent = place.parent}, name,
                                 number, count, shared);
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

Result<std::vector<DestinationStatistics>> bus_destinations(System& system, std::string_view name,
                                                            const Destination& after,
                                                            std::uint32_t limit) {
  const auto bus = Bus::find(system, name);
  if (!bus) return std::unexpected(bus.error());
  limit = std::clamp<std::uint32_t>(limit, 1, 10'000);
  std::vector<DestinationStatistics> page;
  for (const Pid shard : bus->shards()) {
    auto part = system.call(Ref<detail::Shard>(shard), detail::GetDestinations{after, limit});
    if (!part) return std::unexpected(part.error());
    std::ranges::move(*part, std::back_inserter(page));
  }
  std::ranges::sort(page, {}, &DestinationStatistics::destination);
  if (page.size() > limit) page.resize(limit);
  return page;
}

Task<Result<std::vector<DestinationStatistics>>> bus_destinations(std::string name,
                                                                  std::uint32_t limit) {
  const auto bus = Bus::find(self().system(), name);
  if (!bus) co_return std::unexpected(bus.error());
  detail::GetDestinations request;
  request.limit = std::clamp<std::uint32_t>(limit, 1, 10'000);
  std::vector<DestinationStatistics> page;
  for (const Pid shard : bus->shards()) {
    Result<std::vector<DestinationStatistics>> part =
        co_await Ref<detail::Shard>(shard).call(request);
    if (!part) co_return std::unexpected(part.error());
    std::ranges::move(*part, std::back_inserter(page));
  }
  std::ranges::sort(page, {}, &DestinationStatistics::destination);
  if (page.size() > request.limit) page.resize(request.limit);
  co_return page;
}

}  // namespace hawser::bus
