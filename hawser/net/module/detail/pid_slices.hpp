// Something done for very many processes, a few a turn. Internal to hawser/net/module.
#pragma once

#include <hawser/process/pid.hpp>

#include <functional>
#include <vector>

namespace hawser {
class Scheduler;
}

namespace hawser::detail {

/// Processes that are told something in one turn of their scheduler.
inline constexpr std::size_t slice_size = 256;

/// Calls `each` for every pid, on the scheduler's thread and outside of any process, slice by
/// slice; other processes run between two of them. Any thread.
void for_each_in_slices(Scheduler& home, std::vector<Pid> pids,
                        std::move_only_function<void(Pid)> each);

}  // namespace hawser::detail
