// The Store that keeps durable queues in a SQLite file: one write is one transaction, on disk when
// it returns. Public. The file's tables, and what becomes of it when the disk is full or the file
// damaged, stand in docs/store.md.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/store.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hawser::bus {

struct SqliteStoreOptions {
  /// The file may grow to so many bytes; a write beyond it fails (exhausted). 0: to the disk's end.
  std::uint64_t maximum_bytes = 0;
  /// Commits are appended to a log; when it has so many bytes it is moved into the file, which
  /// delays the next write (by some 10 ms for each 4 MiB of a usual disk).
  std::uint64_t log_bytes = 16ULL * 1024 * 1024;
  /// What of the file may lie in memory.
  std::uint64_t cache_bytes = 16ULL * 1024 * 1024;
  /// Space in the file that deleted messages left is used again; beyond so many bytes it is given
  /// back to the disk, little by little.
  std::uint64_t free_bytes = 64ULL * 1024 * 1024;
  /// Looks through the whole file when it is opened, so that one that is damaged is refused then
  /// and not in the middle of work. Takes about as long as reading it.
  bool check = true;
};

/// Counters since it was opened.
struct StoreStatistics {
  std::uint64_t writes = 0;     ///< calls of write() that came through
  std::uint64_t commits = 0;    ///< those that had something for the disk
  std::uint64_t failures = 0;   ///< calls of write() that did not
  std::uint64_t added = 0;      ///< messages put into the file
  std::uint64_t settled = 0;    ///< messages taken out of it
  std::uint64_t cancelled = 0;  ///< messages added and settled in one write: the disk saw neither
  std::uint64_t loaded = 0;     ///< messages that load() answered
  std::uint64_t checkpoints = 0;
};

class SqliteStore final : public Store {
 public:
  /// Opens `folder`/hawser.db; both are made if they are not there. The folder stays locked as long
  /// as this lives. Errors: already_exists (another program has it: which), refused (it cannot be
  /// written), unsupported (a newer hawser wrote it), exhausted, failed (damaged).
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& folder,
                                                   const SqliteStoreOptions& options = {});
  ~SqliteStore() override;

  Result<Recovered> load(const std::function<bool(const Destination&)>& wanted) override;
  Result<void> write(std::span<const StoreBatch> batches) override;

  /// Any thread.
  StoreStatistics statistics() const;
  /// The file, for logs.
  const std::string& file() const noexcept;

 private:
  struct Parts;
  explicit SqliteStore(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

/// Keeps nothing: the name of no store.
inline constexpr std::string_view memory_store = ":memory:";

/// For BusOptions::store: the store in the folder `path`, in the user's state folder when it is ""
/// ($XDG_STATE_HOME/hawser, else ~/.local/state/hawser), none (nullptr) when it is ":memory:".
Result<std::shared_ptr<Store>> open_store(const std::string& path,
                                          const SqliteStoreOptions& options = {});

}  // namespace hawser::bus
