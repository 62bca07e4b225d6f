// The calls of SQLite, and what its codes mean for whoever runs a hub.
#include <hawser/bus/detail/sqlite.hpp>

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace hawser::bus::detail {
namespace {

// How long a program that only looks (the sqlite3 shell) may be in the way.
constexpr int busy_ms = 2000;

Error explain(int code, int system_code, std::string_view words, const std::string& file) {
  const auto make = [&](ErrorKind kind, std::string text) {
    return Error{kind, system_code, "store", std::move(text)};
  };
  const std::string cause =
      system_code == 0 ? std::string(words)
                       : fmt::format("{}: {}", words, system_error(system_code, "").detail);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return make(ErrorKind::exhausted,
                  fmt::format("{}: no space is left on the disk, or in the file if it has a limit "
                              "({}); what is stored is safe, and writing goes on when there is "
                              "space",
                              file, cause));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return make(ErrorKind::failed,
                  fmt::format("{} is damaged or no file of this program ({}); restore it from a "
                              "copy, or move it away to begin with an empty one",
                              file, cause));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return make(ErrorKind::refused,
                  fmt::format("{} cannot be opened for writing ({})", file, cause));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return make(ErrorKind::already_exists,
                  fmt::format("{} is held by another program ({})", file, cause));
    case SQLITE_NOMEM:
      return make(ErrorKind::exhausted, fmt::format("{}: {}", file, cause));
    case SQLITE_TOOBIG:
      return make(ErrorKind::invalid_argument,
                  fmt::format("{}: a value beyond what a row can hold ({})", file, cause));
    default:
      break;
  }
  if (system_code == ENOSPC || system_code == EDQUOT)
    return make(ErrorKind::exhausted, fmt::format("{}: {}", file, cause));
  return make(ErrorKind::failed, fmt::format("{}: {} (SQLite {})", file, cause, code));
}

}  // namespace

// ---- statements
// ----------------------------------------------------------------------------------------------

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

SqliteStatement& SqliteStatement::bind(int index, std::int64_t value) noexcept {
  if (const int code = sqlite3_bind_int64(statement_.get(), index, value); bound_ == 0)
    bound_ = code;
  return *this;
}

SqliteStatement& SqliteStatement::bind_text(int index, std::string_view text) noexcept {
  // A view of nothing may have no address, which SQLite takes for NULL.
  const char* const begin = text.empty() ? "" : text.data();
  if (const int code = sqlite3_bind_text64(statement_.get(), index, begin, text.size(),
                                           SQLITE_STATIC, SQLITE_UTF8);
      bound_ == 0)
    bound_ = code;
  return *this;
}

SqliteStatement& SqliteStatement::bind_blob(int index, BytesView bytes) noexcept {
  const char* const begin = bytes.empty() ? "" : bytes.data();
  if (const int code =
          sqlite3_bind_blob64(statement_.get(), index, begin, bytes.size(), SQLITE_STATIC);
      bound_ == 0)
    bound_ = code;
  return *this;
}

SqliteStatement& SqliteStatement::bind_null(int index) noexcept {
  if (const int code = sqlite3_bind_null(statement_.get(), index); bound_ == 0) bound_ = code;
  return *this;
}

Result<bool> SqliteStatement::step() {
  if (const int code = std::exchange(bound_, 0); code != SQLITE_OK) {
    reset();
    return std::unexpected(database_->error(code));
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = database_->error(code);
  reset();
  return std::unexpected(std::move(error));
}

Result<void> SqliteStatement::run() {
  auto row = step();
  while (row && *row) row = step();
  if (!row) return std::unexpected(std::move(row.error()));
  return {};
}

void SqliteStatement::reset() noexcept { sqlite3_reset(statement_.get()); }

std::int64_t SqliteStatement::integer(int column) const noexcept {
  return sqlite3_column_int64(statement_.get(), column);
}

BytesView SqliteStatement::bytes(int column) const noexcept {
  const auto* const begin = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return begin == nullptr ? BytesView{} : BytesView{begin, static_cast<std::size_t>(size)};
}

bool SqliteStatement::null(int column) const noexcept {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

// ---- the database
// ------------------------------------------------------------------------------------------------

void SqliteDatabase::Close::operator()(sqlite3* handle) const noexcept { sqlite3_close(handle); }

Result<void> SqliteDatabase::open(const std::string& file) {
  file_ = file;
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_ms);
  // In the place of the one that moves the log by itself: the store says when.
  sqlite3_wal_hook(
      handle,
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &log_pages_);
  return {};
}

Result<void> SqliteDatabase::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  return {};
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  SqliteStatement prepared;
  prepared.database_ = this;
  prepared.statement_.reset(statement);
  return prepared;
}

Result<std::int64_t> SqliteDatabase::ask(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  const auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->integer(0) : 0;
}

Result<void> SqliteDatabase::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  return {};
}

bool SqliteDatabase::in_transaction() const noexcept {
  return sqlite3_get_autocommit(handle_.get()) == 0;
}

Error SqliteDatabase::error(int code) const {
  // A system's code may be left over from a call that did not fail: it counts for input and output.
  const int primary = code & 0xff;
  const bool system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ||
                      primary == SQLITE_FULL || primary == SQLITE_READONLY;
  return explain(code, system && handle_ ? sqlite3_system_errno(handle_.get()) : 0,
                 handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code), file_);
}

Error SqliteDatabase::damage(std::string_view words) const {
  std::string line(words.substr(0, 200));
  std::ranges::replace(line, '\n', ' ');
  return explain(SQLITE_CORRUPT, 0, line, file_);
}

}  // namespace hawser::bus::detail
