// The tables of the store's file, and how a file is opened: made, checked, refused. Internal.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/detail/sqlite.hpp>
#include <hawser/bus/store.hpp>

#include <cstdint>
#include <string_view>

namespace hawser::bus {
struct SqliteStoreOptions;
}

namespace hawser::bus::detail {

/// What this program reads and writes; PRAGMA user_version of the file.
inline constexpr std::int64_t schema_version = 2;
/// PRAGMA application_id of the file: "Hawk" would be another program's.
inline constexpr std::int64_t application_id = 0x48575352;  // HWSR

/// A message's key is its queue's slot and its sequence: so each queue's messages lie together, in
/// order, and need no index. 4 million queues at a time, 2.2e12 messages in the life of each.
inline constexpr unsigned sequence_bits = 41;
inline constexpr std::uint64_t last_sequence = (std::uint64_t{1} << sequence_bits) - 1;
inline constexpr std::uint32_t last_slot = (1U << (63 - sequence_bits)) - 1;

constexpr std::int64_t message_key(std::uint32_t slot, std::uint64_t sequence) noexcept {
  return static_cast<std::int64_t>((std::uint64_t{slot} << sequence_bits) | sequence);
}
constexpr std::uint64_t sequence_of(std::int64_t key) noexcept {
  return static_cast<std::uint64_t>(key) & last_sequence;
}

/// A larger body lies in pieces of this size: a row is put together in memory once more.
inline constexpr std::size_t piece_bytes = 256UL * 1024;

/// Opens the file and makes it ready: settings, tables if it is empty, version checked.
Result<void> open_database(SqliteDatabase& database, const std::string& file,
                           const SqliteStoreOptions& options);

/// Rows of the table `queues`.
inline constexpr std::string_view select_queues =
    "SELECT id, slot, kind, name, declared, pattern, filter, messages, bytes, overflow, durable, "
    "deliveries, requeue_delay, message_ttl, dead_letter, dead_letters, dead_letter_expired, "
    "expires, single_consumer, next_sequence FROM queues ORDER BY id";
struct QueueRow {
  StoredQueue queue{};
  std::uint32_t slot = 0;
};
QueueRow read_queue(const SqliteStatement& row);

inline constexpr std::string_view replace_queue =
    "INSERT OR REPLACE INTO queues (id, slot, kind, name, declared, pattern, filter, messages, "
    "bytes, overflow, durable, deliveries, requeue_delay, message_ttl, dead_letter, dead_letters, "
    "dead_letter_expired, expires, single_consumer, next_sequence) "
    "VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)";
/// `queue` must live until the statement has run.
void bind_queue(SqliteStatement& statement, const StoredQueue& queue, std::uint32_t slot);

}  // namespace hawser::bus::detail
