// The engine on io_uring: made here, known to the rest as an Engine. Internal to engine/.
#pragma once

#include <hawser/engine/detail/blocking_pool.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/engine/uring/uring_options.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace hawser::detail {

/// Tries what the engine needs (a ring with deferred task run, a ring of buffers, multishot
/// receive) on this kernel, as this user. Answers what was found, in a few words for the log, or an
/// error that says what is missing and what may be the cause. Any thread; takes some 100 µs.
Result<std::string> probe_uring();

/// `pool` must outlive the engine; `seed` is for Engine::random(); `reason` is for info().
Result<std::unique_ptr<Engine>> make_uring_engine(BlockingPool& pool, std::uint64_t seed,
                                                  std::string reason,
                                                  const UringOptions& options = {});

}  // namespace hawser::detail
