// Writes as transactions, loads as range scans; both under one lock, since the database belongs to
// one thread at a time.
#include <hawser/bus/sqlite_store.hpp>

#include <hawser/bus/detail/data_folder.hpp>
#include <hawser/bus/detail/gather.hpp>
#include <hawser/bus/detail/sqlite.hpp>
#include <hawser/bus/detail/sqlite_schema.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hawser::bus {

using detail::Gather;
using detail::message_key;
using detail::SqliteDatabase;
using detail::SqliteStatement;

namespace {

constexpr std::string_view file_name = "hawser.db";
/// Pages given back to the disk by one write.
constexpr int pages_given_back = 1024;

Error refusal(ErrorKind kind, std::string text) { return {kind, 0, "store", std::move(text)}; }

}  // namespace

struct SqliteStore::Parts {
  explicit Parts(detail::DataFolder opened, const SqliteStoreOptions& chosen)
      : folder(std::move(opened)), options(chosen) {}

  Result<void> open();
  Result<void> refresh();
  Result<void> load_queue(const detail::QueueRow& row, RecoveredQueue& into);
  Result<void> write(std::span<const StoreBatch> batches);
  Result<void> apply();
  Result<void> define(const StoreChange& change);
  Result<void> add(const Gather::Add& add);
  Result<void> add_pieces(std::int64_t key, BytesView body);
  Result<void> settle();
  Result<void> erase(std::int64_t first, std::int64_t last);
  Result<void> count_deliveries();
  Result<std::int64_t> key_of(std::uint64_t queue, std::uint64_t sequence) const;
  Result<std::uint32_t> vacant_slot();
  void keep_house();
  /// For statistics(), which must not wait for the disk.
  void publish() {
    const std::lock_guard lock(published_mutex);
    published = statistics;
  }

  std::mutex mutex;
  std::mutex published_mutex;
  StoreStatistics published;
  detail::DataFolder folder;
  SqliteStoreOptions options;
  SqliteDatabase database;
  // After the database: they go first.
  SqliteStatement begin, commit, rollback;
  SqliteStatement insert, insert_piece, set_queue, remove_queue, count;
  SqliteStatement erase_messages, erase_pieces, erase_counts;
  SqliteStatement select_messages, select_pieces;

  Gather gather;
  // What the tables hold, so that most writes need not look there.
  std::unordered_map<std::uint64_t, std::uint32_t> slots;  // by queue id
  std::vector<std::uint32_t> vacant;                       // below next_slot
  std::uint32_t next_slot = 1;
  std::set<std::int64_t> counted;  // messages with a row in `deliveries`
  std::set<std::int64_t> pieced;   // messages with rows in `pieces`
  std::vector<std::int64_t> keys;
  bool stale = false;  // the above may differ from the tables: a write has failed

  std::int64_t page_bytes = 4096;
  std::int64_t checkpoint_at = 0;  // pages in the log
  std::int64_t log_before = 0;
  bool giving_back = false;
  StoreStatistics statistics;
};

// ---- opening
// --------------------------------------------------------------------------------------------------

Result<void> SqliteStore::Parts::open() {
  const auto file = folder.file(file_name);
  if (!file) return std::unexpected(file.error());
  if (auto opened = detail::open_database(database, *file, options); !opened) return opened;
  const auto prepare = [&](SqliteStatement& statement, std::string_view sql) -> Result<void> {
    auto prepared = database.prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    statement = *std::move(prepared);
    return {};
  };
  const std::pair<SqliteStatement*, std::string_view> wanted[] = {
      {&begin, "BEGIN IMMEDIATE"},
      {&commit, "COMMIT"},
      {&rollback, "ROLLBACK"},
      // A commit that failed may yet have come through: the same message again is no fault.
      {&insert, "INSERT OR REPLACE INTO messages VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"},
      {&insert_piece, "INSERT OR REPLACE INTO pieces VALUES (?1,?2,?3)"},
      {&set_queue, detail::replace_queue},
      {&remove_queue, "DELETE FROM queues WHERE id = ?1"},
      {&count, "INSERT OR REPLACE INTO deliveries VALUES (?1,?2)"},
      {&erase_messages, "DELETE FROM messages WHERE key BETWEEN ?1 AND ?2"},
      {&erase_pieces, "DELETE FROM pieces WHERE key BETWEEN ?1 AND ?2"},
      {&erase_counts, "DELETE FROM deliveries WHERE key BETWEEN ?1 AND ?2"},
      {&select_messages,
       "SELECT messages.key, priority, encoding, expires, deliver_at, destination, content_type, "
       "message_group, properties, body, count FROM messages LEFT JOIN deliveries ON "
       "deliveries.key = messages.key WHERE messages.key BETWEEN ?1 AND ?2 ORDER BY messages.key"},
      {&select_pieces, "SELECT data FROM pieces WHERE key = ?1 ORDER BY number"},
  };
  for (const auto& [statement, sql] : wanted)
    if (auto prepared = prepare(*statement, sql); !prepared) return prepared;
  const auto page = database.ask("PRAGMA page_size");
  if (!page) return std::unexpected(page.error());
  page_bytes = *page;
  checkpoint_at = static_cast<std::int64_t>(options.log_bytes) / page_bytes;
  return refresh();
}

/// Reads what the tables hold.
Result<void> SqliteStore::Parts::refresh() {
  slots.clear();
  vacant.clear();
  counted.clear();
  pieced.clear();
  next_slot = 1;
  auto queues = database.prepare("SELECT id, slot FROM queues ORDER BY slot");
  if (!queues) return std::unexpected(std::move(queues.error()));
  for (;;) {
    const auto row = queues->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto slot = static_cast<std::uint32_t>(queues->integer(1));
    slots.emplace(static_cast<std::uint64_t>(queues->integer(0)), slot);
    while (next_slot < slot) vacant.push_back(next_slot++);
    next_slot = slot + 1;
  }
  const auto read = [&](std::string_view sql, std::set<std::int64_t>& into) -> Result<void> {
    auto rows = database.prepare(sql);
    if (!rows) return std::unexpected(std::move(rows.error()));
    for (;;) {
      const auto row = rows->step();
      if (!row) return std::unexpected(row.error());
      if (!*row) return {};
      into.insert(into.end(), rows->integer(0));
    }
  };
  if (auto done = read("SELECT key FROM deliveries ORDER BY key", counted); !done) return done;
  if (auto done = read("SELECT DISTINCT key FROM pieces ORDER BY key", pieced); !done) return done;
  stale = false;
  return {};
}

// ---- loading
// --------------------------------------------------------------------------------------------------

Result<void> SqliteStore::Parts::load_queue(const detail::QueueRow& row, RecoveredQueue& into) {
  into.definition = row.queue;
  auto& statement = select_messages;
  statement.bind(1, message_key(row.slot, 0)).bind(2, message_key(row.slot, detail::last_sequence));
  for (;;) {
    const auto there = statement.step();
    if (!there) return std::unexpected(there.error());
    if (!*there) return {};
    const std::int64_t key = statement.integer(0);
    MessageDraft draft;
    draft.persistent = true;
    if (!statement.null(1)) draft.priority = static_cast<std::uint8_t>(statement.integer(1));
    draft.encoding = static_cast<Encoding>(statement.integer(2));
    draft.expires = statement.integer(3);
    draft.deliver_at = statement.integer(4);
    draft.destination = statement.bytes(5);
    draft.content_type = statement.bytes(6);
    draft.group = statement.bytes(7);
    draft.properties = statement.bytes(8);
    RecoveredMessage message;
    message.sequence = detail::sequence_of(key);
    message.deliveries = static_cast<std::uint32_t>(statement.integer(10));
    message.expires = draft.expires;
    if (pieced.contains(key)) {
      Bytes body;
      select_pieces.bind(1, key);
      for (;;) {
        const auto piece = select_pieces.step();
        if (!piece) {
          statement.reset();
          return std::unexpected(piece.error());
        }
        if (!*piece) break;
        body += select_pieces.bytes(0);
      }
      message.message = Message::make(draft, Payload(body));
    } else {
      draft.body = statement.bytes(9);
      message.message = Message::make(draft);
    }
    into.messages.push_back(std::move(message));
    ++statistics.loaded;
  }
}

Result<Recovered> SqliteStore::load(const std::function<bool(const Destination&)>& wanted) {
  const std::lock_guard lock(parts_->mutex);
  if (parts_->stale)
    if (auto fresh = parts_->refresh(); !fresh) return std::unexpected(std::move(fresh.error()));
  Recovered recovered;
  const auto last = parts_->database.ask("SELECT seq FROM sqlite_sequence WHERE name = 'queues'");
  if (!last) return std::unexpected(last.error());
  recovered.last_queue_id = static_cast<std::uint64_t>(*last);
  auto queues = parts_->database.prepare(detail::select_queues);
  if (!queues) return std::unexpected(std::move(queues.error()));
  for (;;) {
    const auto row = queues->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const detail::QueueRow read = detail::read_queue(*queues);
    if (!wanted(read.queue.destination)) continue;
    auto loaded = parts_->load_queue(read, recovered.queues.emplace_back());
    if (!loaded) return std::unexpected(std::move(loaded.error()));
  }
  parts_->publish();
  return recovered;
}

// ---- writing
// --------------------------------------------------------------------------------------------------

Result<void> SqliteStore::write(std::span<const StoreBatch> batches) {
  const std::lock_guard lock(parts_->mutex);
  auto written = parts_->write(batches);
  if (!written) ++parts_->statistics.failures;
  parts_->publish();
  return written;
}

Result<void> SqliteStore::Parts::write(std::span<const StoreBatch> batches) {
  keep_house();
  if (stale)
    if (auto fresh = refresh(); !fresh) return fresh;
  gather.collect(batches);
  ++statistics.writes;
  statistics.cancelled += gather.cancelled;
  if (gather.empty()) return {};
  stale = true;  // until the end is reached
  auto done = begin.run();
  if (done) done = apply();
  if (done) done = commit.run();
  if (!done) {
    --statistics.writes;
    statistics.cancelled -= gather.cancelled;
    if (database.in_transaction()) (void)rollback.run();
    return done;
  }
  stale = false;
  ++statistics.commits;
  statistics.added += gather.adds.size() - gather.cancelled;
  statistics.settled += gather.settled.size();
  return {};
}

Result<void> SqliteStore::Parts::apply() {
  for (const StoreChange* change : gather.definitions)
    if (auto done = define(*change); !done) return done;
  // First what makes room: when the disk is full the rest of the same write may fit into it.
  if (auto done = settle(); !done) return done;
  if (auto done = count_deliveries(); !done) return done;
  for (const Gather::Add& each : gather.adds) {
    if (each.cancelled) continue;
    if (auto done = add(each); !done) return done;
  }
  return {};
}

Result<std::uint32_t> SqliteStore::Parts::vacant_slot() {
  if (!vacant.empty()) {
    const std::uint32_t slot = vacant.back();
    vacant.pop_back();
    return slot;
  }
  if (next_slot > detail::last_slot)
    return std::unexpected(refusal(
        ErrorKind::exhausted,
        fmt::format("{} holds {} durable queues, its limit", database.file(), detail::last_slot)));
  return next_slot++;
}

Result<void> SqliteStore::Parts::define(const StoreChange& change) {
  if (change.kind == StoreChange::Kind::remove) {
    const auto found = slots.find(change.queue);
    if (found == slots.end()) return {};
    const std::uint32_t slot = found->second;
    slots.erase(found);
    vacant.push_back(slot);
    if (auto done = erase(message_key(slot, 0), message_key(slot, detail::last_sequence)); !done)
      return done;
    return remove_queue.bind(1, static_cast<std::int64_t>(change.queue)).run();
  }
  const StoredQueue& queue = *change.definition;
  auto found = slots.find(queue.id);
  if (found == slots.end()) {
    const auto slot = vacant_slot();
    if (!slot) return std::unexpected(slot.error());
    found = slots.emplace(queue.id, *slot).first;
  }
  detail::bind_queue(set_queue, queue, found->second);
  return set_queue.run();
}

Result<std::int64_t> SqliteStore::Parts::key_of(std::uint64_t queue, std::uint64_t sequence) const {
  const auto found = slots.find(queue);
  if (found == slots.end())
    return std::unexpected(
        refusal(ErrorKind::invalid_argument, fmt::format("queue {} was never declared", queue)));
  if (sequence > detail::last_sequence)
    return std::unexpected(
        refusal(ErrorKind::exhausted,
                fmt::format("a queue has had {} messages, its limit", detail::last_sequence)));
  return message_key(found->second, sequence);
}

Result<void> SqliteStore::Parts::add(const Gather::Add& add) {
  const auto key = key_of(add.change->queue, add.change->sequence);
  if (!key) return std::unexpected(key.error());
  const Message& message = *add.change->message;
  insert.bind(1, *key);
  const auto or_null = [&](int index, std::int64_t value, std::int64_t usual) {
    if (value == usual) {
      insert.bind_null(index);
    } else {
      insert.bind(index, value);
    }
  };
  const auto text_or_null = [&](int index, BytesView text) {
    if (text.empty()) {
      insert.bind_null(index);
    } else {
      insert.bind_text(index, text);
    }
  };
  or_null(2, message.priority(), default_priority);
  or_null(3, static_cast<std::int64_t>(message.encoding()), 0);
  or_null(4, add.change->expires, 0);
  or_null(5, message.deliver_at(), 0);
  insert.bind_text(6, message.destination());
  text_or_null(7, message.content_type());
  text_or_null(8, message.group());
  if (message.property_lines().empty()) {
    insert.bind_null(9);
  } else {
    insert.bind_blob(9, message.property_lines());
  }
  const BytesView body = message.body();
  const bool pieces = body.size() > detail::piece_bytes;
  if (pieces) {
    insert.bind_null(10);
  } else {
    insert.bind_blob(10, body);
  }
  if (auto done = insert.run(); !done) return done;
  if (pieces)
    if (auto done = add_pieces(*key, body); !done) return done;
  if (add.deliveries == 0) return {};
  counted.insert(*key);
  return count.bind(1, *key).bind(2, add.deliveries).run();
}

Result<void> SqliteStore::Parts::add_pieces(std::int64_t key, BytesView body) {
  pieced.insert(key);
  for (std::int64_t number = 0; !body.empty(); ++number) {
    insert_piece.bind(1, key).bind(2, number).bind_blob(3, body.substr(0, detail::piece_bytes));
    if (auto done = insert_piece.run(); !done) return done;
    body.remove_prefix(std::min(body.size(), detail::piece_bytes));
  }
  return {};
}

Result<void> SqliteStore::Parts::count_deliveries() {
  for (const Gather::Count& each : gather.delivered) {
    const auto key = key_of(each.message.queue, each.message.sequence);
    if (!key) continue;  // it went with its queue
    counted.insert(*key);
    if (auto done = count.bind(1, *key).bind(2, each.deliveries).run(); !done) return done;
  }
  return {};
}

/// Settled messages are mostly neighbours: each run of them is erased at once.
Result<void> SqliteStore::Parts::settle() {
  keys.clear();
  for (const Gather::Message& message : gather.settled)
    if (const auto key = key_of(message.queue, message.sequence)) keys.push_back(*key);
  std::ranges::sort(keys);
  for (std::size_t first = 0; first < keys.size();) {
    std::size_t last = first;
    while (last + 1 < keys.size() && keys[last + 1] - keys[last] <= 1) ++last;
    if (auto done = erase(keys[first], keys[last]); !done) return done;
    first = last + 1;
  }
  return {};
}

Result<void> SqliteStore::Parts::erase(std::int64_t first, std::int64_t last) {
  if (auto done = erase_messages.bind(1, first).bind(2, last).run(); !done) return done;
  const auto forget = [&](std::set<std::int64_t>& known,
                          SqliteStatement& statement) -> Result<void> {
    const auto begin_at = known.lower_bound(first);
    const auto end_at = known.upper_bound(last);
    if (begin_at == end_at) return {};
    known.erase(begin_at, end_at);
    return statement.bind(1, first).bind(2, last).run();
  };
  if (auto done = forget(pieced, erase_pieces); !done) return done;
  return forget(counted, erase_counts);
}

/// Before a write, so that the one before was answered without waiting for it. What fails here is
/// tried again later; if the disk is full the write will say so.
void SqliteStore::Parts::keep_house() {
  const std::int64_t log_limit = static_cast<std::int64_t>(options.log_bytes) / page_bytes;
  const std::int64_t log = database.log_pages();
  if (log < std::exchange(log_before, log)) checkpoint_at = log_limit;  // it has started anew
  if (log >= checkpoint_at) {
    // Somebody who reads the file can keep the log from starting anew: not again at every write.
    checkpoint_at = log + std::max<std::int64_t>(log_limit / 4, 1);
    if (database.checkpoint()) ++statistics.checkpoints;
    const auto free = database.ask("PRAGMA freelist_count");
    giving_back = free && static_cast<std::uint64_t>(*free * page_bytes) > options.free_bytes;
  }
  if (!giving_back) return;
  const std::string sql = fmt::format("PRAGMA incremental_vacuum({})", pages_given_back);
  const bool done = database.execute(sql.c_str()).has_value();
  const auto free = database.ask("PRAGMA freelist_count");
  giving_back = done && free && static_cast<std::uint64_t>(*free * page_bytes) > options.free_bytes;
}

// ---- the rest
// -------------------------------------------------------------------------------------------------

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& folder,
                                                       const SqliteStoreOptions& options) {
  auto locked = detail::DataFolder::open(folder);
  if (!locked) return std::unexpected(std::move(locked.error()));
  auto parts = std::make_unique<Parts>(*std::move(locked), options);
  if (auto opened = parts->open(); !opened) return std::unexpected(std::move(opened.error()));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(parts)));  // allocation: private
}

SqliteStore::SqliteStore(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
SqliteStore::~SqliteStore() = default;

StoreStatistics SqliteStore::statistics() const {
  const std::lock_guard lock(parts_->published_mutex);
  return parts_->published;
}

const std::string& SqliteStore::file() const noexcept { return parts_->database.file(); }

Result<std::shared_ptr<Store>> open_store(const std::string& path,
                                          const SqliteStoreOptions& options) {
  if (path == memory_store) return std::shared_ptr<Store>();
  std::string folder = path;
  if (folder.empty()) {
    auto found = detail::state_folder(std::getenv("XDG_STATE_HOME"), std::getenv("HOME"));
    if (!found) return std::unexpected(std::move(found.error()));
    folder = *std::move(found);
  }
  auto store = SqliteStore::open(folder, options);
  if (!store) return std::unexpected(std::move(store.error()));
  return *std::move(store);
}

}  // namespace hawser::bus
