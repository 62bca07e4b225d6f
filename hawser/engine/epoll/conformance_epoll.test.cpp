// The conformance suite for the epoll engine, once more with bounds so small that every batch ends
// early and with waits in whole milliseconds.
#include <hawser/engine/epoll/epoll_engine.hpp>
#include <hawser/engine/testing/real_world.hpp>

namespace hawser::testing {
namespace {

EngineFamily epoll_family(std::string name, detail::EpollOptions options) {
  return {std::move(name), [options] {
            return RealWorld::make([options](detail::BlockingPool& pool) {
              return detail::make_epoll_engine(pool, 1, "conformance", options);
            });
          }};
}

detail::EpollOptions tight_epoll() {
  detail::EpollOptions options;
  options.receive_buffer = 1000;
  options.reads_per_socket = 1;
  options.accepts_per_listener = 1;
  options.datagrams_per_socket = 1;
  options.events = 2;
  options.precise_waits = false;
  return options;
}

const auto epoll_families =
    ::testing::Values(epoll_family("epoll", {}), epoll_family("tight", tight_epoll()));

INSTANTIATE_TEST_SUITE_P(Epoll, EngineConformance, epoll_families, family_name);
INSTANTIATE_TEST_SUITE_P(Epoll, RealEngineConformance, epoll_families, family_name);

}  // namespace
}  // namespace hawser::testing
