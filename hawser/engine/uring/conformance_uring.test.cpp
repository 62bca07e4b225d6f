// The conformance suite for the uring engine, once more with queues and buffers so short that every
// one of them runs out all the time.
#include <hawser/engine/testing/real_world.hpp>
#include <hawser/engine/uring/uring_engine.hpp>

namespace hawser::testing {
namespace {

EngineFamily uring_family(std::string name, detail::UringOptions options) {
  return {std::move(name), [options] {
            return RealWorld::make([options](detail::BlockingPool& pool) {
              return detail::make_uring_engine(pool, 1, "conformance", options);
            });
          }};
}

detail::UringOptions tight_uring() {
  detail::UringOptions options;
  options.submission_entries = 2;
  options.completion_entries = 4;
  options.buffer_bytes = 100;
  options.initial_buffers = 1;
  options.max_buffers = 8;
  return options;
}

const auto uring_families =
    ::testing::Values(uring_family("uring", {}), uring_family("tight", tight_uring()));

INSTANTIATE_TEST_SUITE_P(Uring, EngineConformance, uring_families, family_name);
INSTANTIATE_TEST_SUITE_P(Uring, RealEngineConformance, uring_families, family_name);

}  // namespace
}  // namespace hawser::testing
