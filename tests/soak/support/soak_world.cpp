// Starting, counting and ending the hub's world.
#include "soak_world.hpp"

#include <stdexcept>
#include <utility>

namespace hawser::soak {

SoakWorld::SoakWorld(sim::World& world, unsigned schedulers) : world_(world) {
  SystemOptions options;
  options.schedulers = schedulers;
  system_ = std::make_unique<System>(world_.host("hub"), options,
                                     std::make_unique<testing::LineLog>(lines));
  if (auto launched = system_->launch(); !launched)
    throw std::runtime_error(launched.error().text());
}

SoakWorld::~SoakWorld() { finish(20s); }

hub::HubAddresses SoakWorld::start_hub(hub::HubOptions options) {
  const std::string any_port = world_.host("hub").address(0).text();
  if (options.stomp) options.stomp = any_port;
  if (options.packet) options.packet = any_port;
  auto addresses = hub::start_hub(*system_, options);
  if (!addresses) throw std::runtime_error(addresses.error().text());
  return *addresses;
}

Engine& SoakWorld::peers_on(std::string_view host) {
  auto found = loops_.find(host);
  if (found == loops_.end()) {
    auto& place = world_.host(host);
    auto loop = std::make_unique<testing::PeerLoop>(place.make_engine());
    Loop* const raw = loop.get();
    place.start(std::span<Loop* const>(&raw, 1));
    found = loops_.emplace(std::string(host), std::move(loop)).first;
  }
  return found->second->engine();
}

void SoakWorld::crash_peers_on(std::string_view host) { world_.host(host).crash(); }

void SoakWorld::restart_peers_on(std::string_view host) {
  auto& place = world_.host(host);
  place.join();
  if (const auto found = loops_.find(host); found != loops_.end()) loops_.erase(found);
  place.restart();
}

ServerStatus SoakWorld::status(std::string_view server) {
  auto answer = server_status(*system_, server);
  if (!answer) throw std::runtime_error(answer.error().text());
  return *answer;
}

bus::BusStatistics SoakWorld::bus_statistics() {
  auto answer = bus::bus_statistics(*system_, "default");
  if (!answer) throw std::runtime_error(answer.error().text());
  return *answer;
}

bool SoakWorld::finish(Duration limit) {
  if (system_ == nullptr) return true;
  const bool in_time = system_->stop(limit);
  system_.reset();
  for (auto& [host, loop] : loops_) {
    loop->finish();
    world_.host(host).join();
  }
  loops_.clear();
  return in_time;
}

std::size_t SoakWorld::lines_with(std::string_view part) const {
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(part) != std::string::npos;
  }));
}

std::string SoakWorld::all_lines() const {
  std::string all;
  for (const auto& line : lines) all += line + "\n";
  return all;
}

}  // namespace hawser::soak
