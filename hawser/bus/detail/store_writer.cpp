// Group commits on the blocking pool, transactions of several shards whole.
#include <hawser/bus/detail/store_writer.hpp>

#include <hawser/base/log.hpp>
#include <hawser/bus/bus.hpp>
#include <hawser/bus/detail/shard.hpp>
#include <hawser/engine/engine.hpp>
#include <hawser/process/ref.hpp>
#include <hawser/process/self.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace hawser::bus::detail {
namespace {
constexpr Duration retry_after = 1s;
constexpr Duration change_cost = 5us;     // what a write takes for each change, whatever the disk
constexpr Duration gather_least = 200us;  // below this, waiting costs more than another write
constexpr Duration gather_most = 2ms;
constexpr unsigned turns_to_settle = 4;
}  // namespace

std::string store_writer_name(std::string_view bus) { return fmt::format("bus/{}/store", bus); }

struct StoreWriter::Write {
  std::vector<WriteChanges> changes;
  std::vector<StoreBatch> batches;
  Result<void> result;
};
struct StoreWriter::Load {
  Recover request;
  Result<Recovered> result = Recovered{};
};

void StoreWriter::handle_cast(WriteChanges changes) {
  items_.emplace_back(std::move(changes));
  work();
}

void StoreWriter::handle_cast(Recover recover) {
  self().monitor(recover.from);
  shards_.insert(recover.from);
  items_.emplace_back(recover);
  work();
}

void StoreWriter::handle_shutdown(const Reason&) {
  stopping_ = true;
  work();
}

void StoreWriter::work() {
  if (busy_) return;
  if (!items_.empty() && std::holds_alternative<Recover>(items_.front())) {
    const Recover request = std::get<Recover>(items_.front());
    load(request);
    return;
  }
  if (gathers() || lets_settle()) return;
  auto changes = take_writable();
  if (!changes.empty()) {
    write(std::move(changes));
  } else if (stopping_) {
    self().stop(Reason::shutdown());
  }
}

// Senders with a window of unconfirmed messages send again when they are confirmed. Were the next
// write to begin at once, with what came during the last one, each would carry half of a window,
// turn about, and the disk would flush twice for what fits into one. Only the flush counts: with a
// disk that is done at once, two halves are better, since senders and shards work on one while the
// other is written.
void StoreWriter::begin_gathering(std::size_t written) {
  const Duration flush =
      self().now() - write_began_ - change_cost * static_cast<Duration::rep>(written);
  const Duration room = std::min(flush / 4, gather_most);
  if (room < gather_least) return;
  gather_for_ = written + waiting_changes();
  gather_until_ = self().now() + room;
  self().send_after(room, Gathered{});
}

bool StoreWriter::gathers() {
  if (gather_for_ == 0) return false;
  if (!stopping_ && self().now() < gather_until_ && waiting_changes() < gather_for_) return true;
  gather_for_ = 0;
  return false;
}

// Who takes messages as soon as they come has settled them a few turns later: his connection gets
// them, then the shard hears of it, then we. What came and went within one write the disk never
// sees; so the others get these turns first.
bool StoreWriter::lets_settle() {
  if (turn_passes_) return true;
  if (!taken_at_once_ || stopping_ || items_.empty() || turns_passed_ == turns_to_settle) {
    turns_passed_ = 0;
    return false;
  }
  ++turns_passed_;
  turn_passes_ = true;
  send_info(self().pid(), TurnPassed{});
  return true;
}

void StoreWriter::note_settling(std::span<const StoreBatch> written) {
  std::size_t adds = 0;
  std::size_t settles = 0;
  for (const StoreBatch& batch : written)
    for (const StoreChange& change : batch.changes) {
      adds += change.kind == StoreChange::Kind::add ? 1 : 0;
      settles += change.kind == StoreChange::Kind::settle ? 1 : 0;
    }
  taken_at_once_ = settles > 0 && 2 * settles >= adds;
}

std::size_t StoreWriter::waiting_changes() const noexcept {
  std::size_t count = 0;
  for (const Item& item : items_)
    if (const auto* each = std::get_if<WriteChanges>(&item)) count += each->batch.changes.size();
  return count;
}

std::vector<WriteChanges> StoreWriter::take_writable() {
  // What a transaction lacks a part of holds up what its shards did after it, and so, perhaps, the
  // parts of others: looked at again until nothing changes.
  const auto end = std::ranges::find_if(
      items_, [](const Item& item) { return std::holds_alternative<Recover>(item); });
  std::set<const WriteChanges*> excluded;
  for (bool changed = true; changed;) {
    changed = false;
    std::map<TransactionKey, std::uint32_t> parts;
    for (auto item = items_.begin(); item != end; ++item) {
      const auto& each = std::get<WriteChanges>(*item);
      if (each.parts > 1 && !excluded.contains(&each)) ++parts[each.transaction];
    }
    std::set<Pid> held_up;
    for (auto item = items_.begin(); item != end; ++item) {
      const auto& each = std::get<WriteChanges>(*item);
      if (each.parts > 1 && parts[each.transaction] < each.parts) held_up.insert(each.from);
      if (held_up.contains(each.from) && excluded.insert(&each).second) changed = true;
    }
  }
  std::vector<WriteChanges> taken;
  std::deque<Item> left;
  for (auto item = items_.begin(); item != items_.end(); ++item) {
    auto* each = std::get_if<WriteChanges>(&*item);
    if (item < end && !excluded.contains(each)) {
      taken.push_back(std::move(*each));
    } else {
      left.push_back(std::move(*item));
    }
  }
  items_ = std::move(left);
  return taken;
}

void StoreWriter::write(std::vector<WriteChanges> changes) {
  busy_ = true;
  write_began_ = self().now();
  auto job = std::make_shared<Write>();
  job->changes = std::move(changes);
  job->batches.reserve(job->changes.size());
  for (auto& each : job->changes) job->batches.push_back(std::move(each.batch));
  const Pid me = self().pid();
  self().process().scheduler().engine().run_blocking(
      [job, store = store_] { job->result = store->write(job->batches); },
      [job, me] { send_info(me, Written{job}); });
}

void StoreWriter::load(const Recover& recover) {
  busy_ = true;
  load_began_ = self().now();
  auto job = std::make_shared<Load>();
  job->request = recover;
  const Pid me = self().pid();
  self().process().scheduler().engine().run_blocking(
      [job, store = store_] {
        job->result = store->load([job](const Destination& to) {
          return shard_index(to, job->request.count) == job->request.number;
        });
      },
      [job, me] { send_info(me, Loaded{job}); });
}

void StoreWriter::fail(std::string_view what, const Error& error) {
  // Nothing is confirmed meanwhile, and shards refuse persistent messages.
  if (failures_ == 0) tell_shards(std::make_shared<const Error>(error));
  if (failures_++ % 60 == 0)
    self().log().error(
        self().process().label(),
        fmt::format("{}: {}; tried again every {} s", what, error.text(),
                    std::chrono::duration_cast<std::chrono::seconds>(retry_after).count()));
  self().send_after(retry_after, Retry{});
}

void StoreWriter::tell_of(const Recovered& recovered) {
  if (recovered.queues.empty()) return;
  std::size_t messages = 0;
  for (const auto& queue : recovered.queues) messages += queue.messages.size();
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(self().now() - load_began_);
  self().log().info(self().process().label(),
                    fmt::format("{} messages of {} queues came from the store in {} ms", messages,
                                recovered.queues.size(), took.count()));
}

void StoreWriter::tell_shards(const std::shared_ptr<const Error>& trouble) {
  for (const Pid shard : shards_) Ref<Shard>(shard).cast(StoreTrouble{trouble});
}

void StoreWriter::succeed() {
  if (std::exchange(failures_, 0) == 0) return;
  self().log().info(self().process().label(), "the store can be used again");
  tell_shards(nullptr);
}

void StoreWriter::handle_info(Info& info) {
  if (const auto* written = info.get<Written>()) {
    Write& job = *written->job;
    if (!job.result) {
      // In front again, as they were; busy until it is time to try once more.
      for (std::size_t i = job.changes.size(); i-- > 0;) {
        job.changes[i].batch = std::move(job.batches[i]);
        items_.emplace_front(std::move(job.changes[i]));
      }
      fail("the store cannot be written", job.result.error());
      return;
    }
    succeed();
    ++writes_;
    std::map<Pid, std::uint64_t> done;
    for (const auto& each : job.changes) done[each.from] = std::max(done[each.from], each.token);
    for (const auto& [shard, token] : done) Ref<Shard>(shard).cast(Stored{token});
    std::size_t changes = 0;
    for (const auto& each : job.batches) changes += each.changes.size();
    note_settling(job.batches);
    begin_gathering(changes);
  } else if (const auto* loaded = info.get<Loaded>()) {
    Load& job = *loaded->job;
    if (!job.result) {
      fail("the store cannot be read", job.result.error());
      return;
    }
    succeed();
    items_.pop_front();
    tell_of(*job.result);
    Ref<Shard>(job.request.from).cast(RecoveredState{std::move(*job.result)});
  } else if (const auto* down = info.get<Down>()) {
    shards_.erase(down->from);
    // A part of a transaction that has not come will not come: what is there was not confirmed, and
    // goes the way of everything else its shards did.
    for (auto& item : items_)
      if (auto* each = std::get_if<WriteChanges>(&item)) each->parts = 1;
    work();
    return;
  } else if (info.get<Gathered>() != nullptr) {
    work();
    return;
  } else if (info.get<TurnPassed>() != nullptr) {
    turn_passes_ = false;
    work();
    return;
  } else if (info.get<Retry>() == nullptr) {
    return;
  }
  busy_ = false;
  work();
}

std::string StoreWriter::describe() const {
  return fmt::format("{} group commits, {} batches wait", writes_, items_.size());
}

}  // namespace hawser::bus::detail
