// The one process that writes to a bus's store: everything that came while a write was under way is
// the next group commit. Internal to the bus.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>
#include <hawser/bus/detail/protocol.hpp>
#include <hawser/bus/store.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/reason.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hawser::bus::detail {

std::string store_writer_name(std::string_view bus);

class StoreWriter {
 public:
  explicit StoreWriter(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  void handle_cast(WriteChanges changes);
  void handle_cast(Recover recover);
  void handle_info(Info& info);
  /// Writes what it has before it goes.
  void handle_shutdown(const Reason& reason);
  std::string describe() const;

 private:
  using Item = std::variant<WriteChanges, Recover>;
  struct Write;
  struct Load;
  struct Written {
    std::shared_ptr<Write> job;
  };
  struct Loaded {
    std::shared_ptr<Load> job;
  };
  struct Retry {};
  struct Gathered {};
  struct TurnPassed {};

  void work();
  void write(std::vector<WriteChanges> changes);
  void load(const Recover& recover);
  /// Whether it is better to wait a little for what the last write's confirmations will bring.
  bool gathers();
  void begin_gathering(std::size_t written);
  /// Whether what is to be written may be settled in a moment, and is waited for.
  bool lets_settle();
  void note_settling(std::span<const StoreBatch> written);
  std::size_t waiting_changes() const noexcept;
  /// Takes those out of the queue that can be written together, in order.
  std::vector<WriteChanges> take_writable();
  void fail(std::string_view what, const Error& error);
  void succeed();
  void tell_shards(const std::shared_ptr<const Error>& trouble);
  void tell_of(const Recovered& recovered);

  std::shared_ptr<Store> store_;
  std::deque<Item> items_;
  bool busy_ = false;
  bool stopping_ = false;
  std::size_t writes_ = 0;
  std::size_t failures_ = 0;
  std::set<Pid> shards_;
  Instant load_began_;
  Instant write_began_;
  Instant gather_until_;
  std::size_t gather_for_ = 0;  // changes; 0: it does not wait
  bool taken_at_once_ = false;  // of the last write at least half was settled
  bool turn_passes_ = false;    // the others have it
  unsigned turns_passed_ = 0;
};

}  // namespace hawser::bus::detail
