// One slice now, the rest posted for the next turn.
#include <hawser/net/module/detail/pid_slices.hpp>

#include <hawser/process/scheduler.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace hawser::detail {
namespace {

struct Slices {
  Scheduler* home;
  std::vector<Pid> pids;
  std::move_only_function<void(Pid)> each;
  std::size_t next = 0;
};

void post(std::unique_ptr<Slices> slices) {
  Scheduler& home = *slices->home;
  home.post([slices = std::move(slices)]() mutable {
    const std::size_t end = std::min(slices->pids.size(), slices->next + slice_size);
    for (; slices->next < end; ++slices->next) slices->each(slices->pids[slices->next]);
    if (end < slices->pids.size()) post(std::move(slices));
  });
}

}  // namespace

void for_each_in_slices(Scheduler& home, std::vector<Pid> pids,
                        std::move_only_function<void(Pid)> each) {
  if (pids.empty()) return;
  post(std::make_unique<Slices>(Slices{&home, std::move(pids), std::move(each)}));
}

}  // namespace hawser::detail
