// SQLite as values: a database and its prepared statements, errors as Error. Internal; everything
// of one database belongs to one thread at a time.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace hawser::bus::detail {

class SqliteDatabase;

/// Prepared once, run often. Must go before its database.
class SqliteStatement {
 public:
  SqliteStatement() noexcept = default;

  // Parameters, from 1. Bytes are borrowed until the statement has run. A failure is kept and told
  // by the next step().
  SqliteStatement& bind(int index, std::int64_t value) noexcept;
  SqliteStatement& bind_text(int index, std::string_view text) noexcept;
  SqliteStatement& bind_blob(int index, BytesView bytes) noexcept;
  SqliteStatement& bind_null(int index) noexcept;

  /// True: there is a row. After false or an error it is ready to be bound and run again.
  Result<bool> step();
  /// For what answers no rows.
  Result<void> run();
  void reset() noexcept;

  // Columns of the row, from 0. Views hold until the next step() or reset().
  std::int64_t integer(int column) const noexcept;
  BytesView bytes(int column) const noexcept;
  bool null(int column) const noexcept;

 private:
  friend class SqliteDatabase;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  SqliteDatabase* database_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;  // the first failure of a bind
};

class SqliteDatabase {
 public:
  SqliteDatabase() noexcept = default;
  // Statements point to it.
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  /// Opens a file that exists.
  Result<void> open(const std::string& file);
  /// Closes; what statements there were must be gone.
  void close() noexcept { handle_.reset(); }

  Result<void> execute(const char* sql);
  Result<SqliteStatement> prepare(std::string_view sql);
  /// The one value of the one row.
  Result<std::int64_t> ask(std::string_view sql);

  /// Pages that the write-ahead log had after the last commit.
  int log_pages() const noexcept { return log_pages_; }
  /// Moves what is committed from the log to the file, as far as no reader needs it.
  Result<void> checkpoint();
  bool in_transaction() const noexcept;

  Error error(int code) const;
  /// The file is not as it was written, in the words of a check.
  Error damage(std::string_view words) const;
  const std::string& file() const noexcept { return file_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept;
  };
  std::string file_;
  std::unique_ptr<sqlite3, Close> handle_;
  int log_pages_ = 0;
};

}  // namespace hawser::bus::detail
