// Counters are read where they lie; servers and buses are asked.
#include <hawser/hub/figures.hpp>

#include <hawser/net/listener.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace hawser::hub {
namespace {

constexpr Duration answer_limit = 1s;

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  if (!(file >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void read_schedulers(System& system, Figures& figures) {
  for (unsigned number = 0; number < system.scheduler_count(); ++number) {
    const SchedulerLoad& load = system.scheduler(number).load();
    figures.schedulers.push_back({number, load.turns.load(std::memory_order_relaxed),
                                  load.messages.load(std::memory_order_relaxed),
                                  load.run_queue.load(std::memory_order_relaxed),
                                  load.processes.load(std::memory_order_relaxed),
                                  load.traced.load(std::memory_order_relaxed)});
  }
  figures.stalls = system.stalls().count();
  figures.longest_callback = system.stalls().longest();
  figures.last_stalls = system.stalls().last();
}

}  // namespace

Task<Figures> gather_figures(std::vector<std::string> buses, std::uint32_t destinations) {
  System& system = self().system();
  Figures figures;
  figures.when = self().now();
  figures.resident = resident_bytes();
  read_schedulers(system, figures);
  const std::vector<Pid> listeners = system.groups().members(servers_group);
  for (const Pid pid : listeners) {
    Result<ServerStatus> status = co_await Ref<Listener>(pid).call(GetServerStatus{}, answer_limit);
    if (status) {
      figures.servers.push_back(std::move(*status));
    } else {
      ++figures.silent_servers;
    }
  }
  std::ranges::sort(figures.servers, {}, &ServerStatus::name);
  for (std::string& name : buses) {
    Task<Result<bus::BusStatistics>> asking = bus::bus_statistics(name);
    const Result<bus::BusStatistics> statistics = co_await asking;
    if (!statistics) continue;
    BusFigures& bus = figures.buses.emplace_back();
    bus.name = name;
    bus.statistics = *statistics;
    if (destinations == 0) continue;
    Task<Result<std::vector<bus::DestinationStatistics>>> listing =
        bus::bus_destinations(name, destinations);
    Result<std::vector<bus::DestinationStatistics>> list = co_await listing;
    if (list) bus.destinations = std::move(*list);
  }
  co_return figures;
}

}  // namespace hawser::hub
