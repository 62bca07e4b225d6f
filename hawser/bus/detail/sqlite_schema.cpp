// Version 2 of the tables, and how those of version 1 become it. docs/store.md explains each column
// to those who read the file.
#include <hawser/bus/detail/sqlite_schema.hpp>

#include <hawser/bus/sqlite_store.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

namespace hawser::bus::detail {
namespace {

constexpr const char* tables = R"sql(
CREATE TABLE queues (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  slot INTEGER NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  declared INTEGER NOT NULL,
  pattern TEXT NOT NULL,
  filter TEXT NOT NULL,
  messages INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  overflow TEXT NOT NULL,
  durable INTEGER NOT NULL,
  deliveries INTEGER NOT NULL,
  requeue_delay INTEGER NOT NULL,
  message_ttl INTEGER NOT NULL,
  dead_letter TEXT NOT NULL,
  dead_letters INTEGER NOT NULL,
  dead_letter_expired INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  single_consumer INTEGER NOT NULL,
  next_sequence INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE messages (
  key INTEGER PRIMARY KEY,
  priority INTEGER,
  encoding INTEGER,
  expires INTEGER,
  deliver_at INTEGER,
  destination TEXT NOT NULL,
  content_type TEXT,
  message_group TEXT,
  properties BLOB,
  body BLOB
);
CREATE TABLE pieces (
  key INTEGER NOT NULL,
  number INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (key, number)
) WITHOUT ROWID;
CREATE TABLE deliveries (
  key INTEGER PRIMARY KEY,
  count INTEGER NOT NULL
);
CREATE VIEW contents AS
  SELECT queues.kind, queues.name, messages.key & 2199023255551 AS sequence,
         coalesce(deliveries.count, 0) AS deliveries, messages.destination, messages.properties,
         coalesce(length(messages.body),
                  (SELECT sum(length(data)) FROM pieces WHERE pieces.key = messages.key)) AS bytes
  FROM messages JOIN queues ON queues.slot = messages.key >> 41
  LEFT JOIN deliveries ON deliveries.key = messages.key;
)sql";

constexpr std::array<std::string_view, 3> kinds{"topic", "queue", "subscription"};
constexpr std::array<std::string_view, 4> overflows{"reject", "drop_oldest", "dead_letter",
                                                    "block"};

template <class Enum, std::size_t Size>
Enum from_word(const std::array<std::string_view, Size>& words, std::string_view word,
               Enum otherwise) noexcept {
  const auto* const found = std::ranges::find(words, word);
  return found == words.end() ? otherwise : static_cast<Enum>(found - words.begin());
}

Result<void> make_tables(SqliteDatabase& database) {
  // The mark of an empty file that is ours comes with its tables, or not at all.
  const std::string sql = fmt::format(
      "BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT", tables,
      application_id, schema_version);
  auto made = database.execute(sql.c_str());
  if (!made && database.in_transaction()) (void)database.execute("ROLLBACK");
  return made;
}

/// An older file becomes one of this version, or stays as it was.
Result<void> bring_up_to_date(SqliteDatabase& database) {
  const std::string sql = fmt::format(
      "BEGIN IMMEDIATE; ALTER TABLE queues ADD COLUMN next_sequence INTEGER NOT NULL DEFAULT 1; "
      "PRAGMA user_version = {}; COMMIT",
      schema_version);
  auto done = database.execute(sql.c_str());
  if (!done && database.in_transaction()) (void)database.execute("ROLLBACK");
  return done;
}

Result<void> check_version(SqliteDatabase& database) {
  const auto application = database.ask("PRAGMA application_id");
  if (!application) return std::unexpected(application.error());
  const auto version = database.ask("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  const auto objects = database.ask("SELECT count(*) FROM sqlite_schema");
  if (!objects) return std::unexpected(objects.error());
  if (*application == 0 && *version == 0 && *objects == 0) return make_tables(database);
  if (*application != application_id || *version < 1)
    return std::unexpected(Error{
        ErrorKind::failed, 0, "store",
        fmt::format("{} is a database of another program; name another folder, or move it away",
                    database.file())});
  if (*version > schema_version)
    return std::unexpected(
        Error{ErrorKind::unsupported, 0, "store",
              fmt::format("{} has version {} of the tables and this program knows {}: a newer "
                          "hawser wrote it; start that one, or move the file away to begin with an "
                          "empty one",
                          database.file(), *version, schema_version)});
  return *version < schema_version ? bring_up_to_date(database) : Result<void>{};
}

Result<void> check_pages(SqliteDatabase& database) {
  auto check = database.prepare("PRAGMA quick_check(1)");
  if (!check) return std::unexpected(std::move(check.error()));
  const auto row = check->step();
  if (!row) return std::unexpected(row.error());
  if (*row && check->bytes(0) == "ok") return {};
  return std::unexpected(database.damage(*row ? check->bytes(0) : "no answer"));
}

}  // namespace

Result<void> open_database(SqliteDatabase& database, const std::string& file,
                           const SqliteStoreOptions& options) {
  if (auto opened = database.open(file); !opened) return opened;
  // How an empty file gives space back must be said before anything else is.
  for (const std::string& setting :
       {std::string("PRAGMA auto_vacuum = incremental"), std::string("PRAGMA journal_mode = wal"),
        // At every commit, so that what it promises is on disk.
        std::string("PRAGMA synchronous = full"), std::string("PRAGMA temp_store = memory"),
        fmt::format("PRAGMA cache_size = -{}", options.cache_bytes / 1024 + 1),
        fmt::format("PRAGMA journal_size_limit = {}", 2 * options.log_bytes)})
    if (auto set = database.execute(setting.c_str()); !set) return set;
  if (auto checked = check_version(database); !checked) return checked;
  if (options.check)
    if (auto whole = check_pages(database); !whole) return whole;
  if (options.maximum_bytes == 0) return {};
  const auto page = database.ask("PRAGMA page_size");
  if (!page) return std::unexpected(page.error());
  const std::uint64_t pages =
      std::max<std::uint64_t>(options.maximum_bytes / static_cast<std::uint64_t>(*page), 1);
  return database.execute(fmt::format("PRAGMA max_page_count = {}", pages).c_str());
}

QueueRow read_queue(const SqliteStatement& row) {
  QueueRow read;
  StoredQueue& queue = read.queue;
  queue.id = static_cast<std::uint64_t>(row.integer(0));
  read.slot = static_cast<std::uint32_t>(row.integer(1));
  queue.destination.kind = from_word(kinds, row.bytes(2), Destination::Kind::queue);
  queue.destination.name = row.bytes(3);
  queue.declared = row.integer(4) != 0;
  queue.pattern = row.bytes(5);
  queue.filter = row.bytes(6);
  QueueOptions& options = queue.options;
  options.messages = static_cast<std::uint32_t>(row.integer(7));
  options.bytes = static_cast<std::uint64_t>(row.integer(8));
  options.overflow = from_word(overflows, row.bytes(9), QueueOverflow::reject);
  options.durable = row.integer(10) != 0;
  options.deliveries = static_cast<std::uint32_t>(row.integer(11));
  options.requeue_delay = Duration(row.integer(12));
  options.message_ttl = Duration(row.integer(13));
  options.dead_letter = row.bytes(14);
  options.dead_letters = row.integer(15) != 0;
  options.dead_letter_expired = row.integer(16) != 0;
  options.expires = Duration(row.integer(17));
  options.single_consumer = row.integer(18) != 0;
  queue.next_sequence = static_cast<std::uint64_t>(row.integer(19));
  return read;
}

void bind_queue(SqliteStatement& statement, const StoredQueue& queue, std::uint32_t slot) {
  const QueueOptions& options = queue.options;
  statement.bind(1, static_cast<std::int64_t>(queue.id))
      .bind(2, slot)
      .bind_text(3, kinds.at(static_cast<std::size_t>(queue.destination.kind)))
      .bind_text(4, queue.destination.name)
      .bind(5, queue.declared ? 1 : 0)
      .bind_text(6, queue.pattern)
      .bind_text(7, queue.filter)
      .bind(8, options.messages)
      .bind(9, static_cast<std::int64_t>(options.bytes))
      .bind_text(10, overflows.at(static_cast<std::size_t>(options.overflow)))
      .bind(11, options.durable ? 1 : 0)
      .bind(12, options.deliveries)
      .bind(13, options.requeue_delay.count())
      .bind(14, options.message_ttl.count())
      .bind_text(15, options.dead_letter)
      .bind(16, options.dead_letters ? 1 : 0)
      .bind(17, options.dead_letter_expired ? 1 : 0)
      .bind(18, options.expires.count())
      .bind(19, options.single_consumer ? 1 : 0)
      .bind(20, static_cast<std::int64_t>(queue.next_sequence));
}

}  // namespace hawser::bus::detail
