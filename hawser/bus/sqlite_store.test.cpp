// The store's file: what was written is there, exactly and in order, after every way to end; what
// is wrong with the file, the folder or the disk is said clearly and harms nothing.
#include <hawser/bus/sqlite_store.hpp>

#include <hawser/base/random.hpp>
#include <hawser/bus/detail/data_folder.hpp>
#include <hawser/bus/detail/sqlite.hpp>
#include <hawser/bus/testing/simulated_store.hpp>
#include <hawser/bus/testing/store_contents.hpp>
#include <hawser/bus/testing/temporary_folder.hpp>

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hawser::bus {
namespace {

using namespace testing;
namespace fs = std::filesystem;

std::unique_ptr<SqliteStore> open_in(const std::string& folder, SqliteStoreOptions options = {}) {
  auto store = SqliteStore::open(folder, options);
  EXPECT_TRUE(store.has_value()) << (store ? "" : store.error().text());
  return store ? *std::move(store) : nullptr;
}

Error error_of(const std::string& folder, SqliteStoreOptions options = {}) {
  const auto store = SqliteStore::open(folder, options);
  EXPECT_FALSE(store.has_value());
  return store ? Error{} : store.error();
}

Result<void> write(Store& store, std::vector<StoreChange> changes) {
  const std::array<StoreBatch, 1> batches{StoreBatch{std::move(changes)}};
  return store.write(batches);
}

void must_write(Store& store, std::vector<StoreChange> changes) {
  const auto written = write(store, std::move(changes));
  ASSERT_TRUE(written.has_value()) << written.error().text();
}

Recovered load(Store& store) {
  auto recovered = store.load(any_destination);
  EXPECT_TRUE(recovered.has_value()) << (recovered ? "" : recovered.error().text());
  return recovered ? *std::move(recovered) : Recovered{};
}

std::string contents(Store& store) { return testing::describe(load(store)); }

MessagePtr text_message(std::string_view body) {
  MessageDraft draft{.destination = "/queue/jobs"};
  draft.body = body;
  draft.persistent = true;
  return Message::make(draft);
}

std::int64_t ask(const SqliteStore& store, std::string_view sql) {
  detail::SqliteDatabase database;
  EXPECT_TRUE(database.open(store.file()).has_value());
  return database.ask(sql).value_or(-1);
}

Bytes patterned(std::size_t size) {
  Bytes bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

TEST(SqliteStore, keeps_messages_exactly_as_they_were) {
  const TemporaryFolder folder;
  PropertyLines lines;
  lines.add("key", "a:b\\c\nd\re");
  lines.add("key", "again");
  lines.add("\xFF", "");
  const std::vector<std::size_t> sizes{0, 1, 100, 4096, 4097, 262'144, 262'145, 786'432, 1'000'001};
  {
    const auto store = open_in(folder.path());
    std::vector<StoreChange> changes{declare_change(stored_queue(7, "jobs"))};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const Bytes body = patterned(sizes[i]);
      MessageDraft draft{.destination = "/queue/jobs", .content_type = "application/x-thing"};
      draft.properties = lines.view();
      draft.body = body;
      draft.group = "g";
      draft.encoding = Encoding::msgpack;
      draft.priority = 9;
      draft.persistent = true;
      draft.expires = 1'800'000'000'123;
      draft.deliver_at = 1'700'000'000'456;
      changes.push_back(
          add_change(7, i * 1000 + 1, Message::make(draft), static_cast<std::uint32_t>(i)));
    }
    must_write(*store, std::move(changes));
  }
  const auto store = open_in(folder.path());
  const Recovered recovered = load(*store);
  ASSERT_EQ(recovered.queues.size(), 1U);
  const auto& messages = recovered.queues[0].messages;
  ASSERT_EQ(messages.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Message& message = *messages[i].message;
    EXPECT_EQ(messages[i].sequence, i * 1000 + 1);
    EXPECT_EQ(messages[i].deliveries, i);
    EXPECT_EQ(message.body(), patterned(sizes[i])) << sizes[i];
    EXPECT_EQ(message.destination(), "/queue/jobs");
    EXPECT_EQ(message.content_type(), "application/x-thing");
    EXPECT_EQ(message.property_lines(), lines.view());
    EXPECT_EQ(message.group(), "g");
    EXPECT_EQ(message.encoding(), Encoding::msgpack);
    EXPECT_EQ(message.priority(), 9);
    EXPECT_TRUE(message.persistent());
    EXPECT_EQ(message.expires(), 1'800'000'000'123);
    EXPECT_EQ(message.deliver_at(), 1'700'000'000'456);
  }
  EXPECT_EQ(store->statistics().loaded, sizes.size());
  // Without a body that is in pieces nothing is left of them.
  std::vector<StoreChange> settled;
  for (std::size_t i = 0; i < sizes.size(); ++i) settled.push_back(settle_change(7, i * 1000 + 1));
  must_write(*store, std::move(settled));
  EXPECT_EQ(ask(*store, "SELECT count(*) FROM messages"), 0);
  EXPECT_EQ(ask(*store, "SELECT count(*) FROM pieces"), 0);
  EXPECT_EQ(ask(*store, "SELECT count(*) FROM deliveries"), 0);
}

TEST(SqliteStore, keeps_what_a_usual_message_leaves_out) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path());
  must_write(*store, {declare_change(stored_queue(1, "jobs")), add_change(1, 0, text_message(""))});
  const Recovered recovered = load(*store);
  ASSERT_EQ(recovered.queues.size(), 1U);
  ASSERT_EQ(recovered.queues[0].messages.size(), 1U);
  const Message& message = *recovered.queues[0].messages[0].message;
  EXPECT_EQ(message.priority(), default_priority);
  EXPECT_EQ(message.encoding(), Encoding::opaque);
  EXPECT_EQ(message.content_type(), "");
  EXPECT_EQ(message.group(), "");
  EXPECT_EQ(message.property_lines(), "");
  EXPECT_EQ(message.expires(), 0);
  EXPECT_EQ(message.body(), "");
}

TEST(SqliteStore, keeps_definitions_and_never_forgets_the_last_id) {
  const TemporaryFolder folder;
  StoredQueue whole;
  whole.id = 3;
  whole.destination = {Destination::Kind::subscription, "feed'\n\xFF"};
  whole.declared = true;
  whole.pattern = "trains.*.>";
  whole.filter = "speed > 100 AND name <> 'O''Neill'";
  whole.options.messages = 4'000'000'000;
  whole.options.bytes = std::numeric_limits<std::uint64_t>::max();
  whole.options.overflow = QueueOverflow::block;
  whole.options.durable = false;
  whole.options.deliveries = 3;
  whole.options.requeue_delay = 250ms;
  whole.options.message_ttl = Duration::max();
  whole.options.dead_letter = "elsewhere";
  whole.options.dead_letters = false;
  whole.options.dead_letter_expired = true;
  whole.options.expires = 24h;
  whole.options.single_consumer = true;
  whole.next_sequence = 1'234'567'890'123;
  {
    const auto store = open_in(folder.path());
    EXPECT_EQ(load(*store).last_queue_id, 0U);
    must_write(
        *store,
        {declare_change(stored_queue(3, "before")), add_change(3, 5, text_message("stays")),
         declare_change(stored_queue(9, "short-lived")), add_change(9, 1, text_message("goes"))});
    must_write(*store,
               {declare_change(std::make_shared<const StoredQueue>(whole)), remove_change(9)});
  }
  const auto store = open_in(folder.path());
  const Recovered recovered = load(*store);
  EXPECT_EQ(recovered.last_queue_id, 9U);
  ASSERT_EQ(recovered.queues.size(), 1U);
  const StoredQueue& read = recovered.queues[0].definition;
  EXPECT_EQ(read.id, whole.id);
  EXPECT_EQ(read.destination, whole.destination);
  EXPECT_EQ(read.declared, whole.declared);
  EXPECT_EQ(read.pattern, whole.pattern);
  EXPECT_EQ(read.filter, whole.filter);
  EXPECT_EQ(read.options, whole.options);
  EXPECT_EQ(read.next_sequence, whole.next_sequence);
  ASSERT_EQ(recovered.queues[0].messages.size(), 1U);
  EXPECT_EQ(recovered.queues[0].messages[0].message->body(), "stays");
  EXPECT_EQ(ask(*store, "SELECT count(*) FROM messages"), 1);
  // Its place in the file is used again, its id is not.
  must_write(*store,
             {declare_change(stored_queue(10, "next")), add_change(10, 2, text_message("n"))});
  EXPECT_EQ(ask(*store, "SELECT max(slot) FROM queues"), 2);
  EXPECT_EQ(ask(*store, "SELECT sum(sequence) FROM contents"), 5 + 2);
}

TEST(SqliteStore, loads_only_what_is_wanted) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path());
  must_write(*store,
             {declare_change(stored_queue(1, "a")), declare_change(stored_queue(2, "b")),
              add_change(1, 1, text_message("of a")), add_change(2, 1, text_message("of b"))});
  const auto recovered =
      store->load([](const Destination& destination) { return destination.name == "b"; });
  ASSERT_TRUE(recovered.has_value());
  ASSERT_EQ(recovered->queues.size(), 1U);
  EXPECT_EQ(recovered->queues[0].messages.at(0).message->body(), "of b");
  EXPECT_EQ(recovered->last_queue_id, 2U);
}

TEST(SqliteStore, a_write_is_whole_or_not_there) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path());
  must_write(*store,
             {declare_change(stored_queue(1, "jobs")), add_change(1, 1, text_message("one"))});
  const std::string before = contents(*store);
  const std::vector<StoreChange> bad{declare_change(stored_queue(2, "more")),
                                     add_change(2, 1, text_message("x")), settle_change(1, 1),
                                     add_change(77, 1, text_message("for nobody"))};
  const auto refused = write(*store, bad);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().text(), "store: queue 77 was never declared");
  EXPECT_EQ(contents(*store), before);
  must_write(*store,
             {declare_change(stored_queue(2, "more")), add_change(2, 1, text_message("x"))});
  EXPECT_EQ(load(*store).queues.size(), 2U);
  EXPECT_EQ(store->statistics().failures, 1U);
  EXPECT_EQ(store->statistics().commits, 2U);
  const auto late = write(*store, {add_change(1, std::uint64_t{1} << 41U, text_message("x"))});
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().kind, ErrorKind::exhausted);
}

TEST(SqliteStore, the_same_write_again_changes_nothing) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path());
  const std::vector<StoreChange> changes{declare_change(stored_queue(1, "jobs")),
                                         add_change(1, 1, text_message("one"), 2),
                                         add_change(1, 2, text_message(patterned(600'000))),
                                         settle_change(1, 9), delivered_change(1, 2, 3)};
  must_write(*store, changes);
  const std::string once = contents(*store);
  must_write(*store, changes);
  EXPECT_EQ(contents(*store), once);
}

TEST(SqliteStore, what_comes_and_goes_in_one_write_is_never_on_disk) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path());
  must_write(*store, {declare_change(stored_queue(1, "jobs"))});
  must_write(*store, {add_change(1, 1, text_message("a")), add_change(1, 2, text_message("b")),
                      settle_change(1, 1), delivered_change(1, 2, 1), settle_change(1, 2)});
  EXPECT_EQ(store->statistics().commits, 1U);
  EXPECT_EQ(store->statistics().cancelled, 2U);
  must_write(*store, {add_change(1, 3, text_message("c")), add_change(1, 4, text_message("d")),
                      delivered_change(1, 4, 5), settle_change(1, 3)});
  EXPECT_EQ(contents(*store).find("  3 "), std::string::npos);
  EXPECT_NE(contents(*store).find("  4 x5 "), std::string::npos);
  EXPECT_EQ(store->statistics().added, 1U);
}

TEST(SqliteStore, counts_deliveries_of_stored_messages) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path());
  must_write(*store, {declare_change(stored_queue(1, "jobs")), add_change(1, 1, text_message("a")),
                      add_change(1, 2, text_message("b")), add_change(1, 3, text_message("c"))});
  must_write(*store,
             {delivered_change(1, 1, 1), delivered_change(1, 2, 1), delivered_change(1, 1, 2),
              settle_change(1, 2), delivered_change(1, 99, 4), delivered_change(55, 1, 1)});
  const Recovered recovered = load(*store);
  ASSERT_EQ(recovered.queues.at(0).messages.size(), 2U);
  EXPECT_EQ(recovered.queues[0].messages[0].deliveries, 2U);
  EXPECT_EQ(recovered.queues[0].messages[1].deliveries, 0U);
}

TEST(SqliteStore, a_killed_program_leaves_every_write_behind) {
  const TemporaryFolder folder;
  const auto store = open_in(folder / "live");
  must_write(*store, {declare_change(stored_queue(1, "jobs"))});
  for (std::uint64_t i = 1; i <= 20; ++i)
    must_write(*store, {add_change(1, i, text_message(patterned(i * 1000)))});
  must_write(*store, {settle_change(1, 7)});
  // What a kill leaves: the file and its log as they are now.
  fs::create_directory(folder / "left");
  for (const char* name : {"hawser.db", "hawser.db-wal"})
    fs::copy_file(folder / "live" + "/" + name, folder / "left" + "/" + name);
  const auto again = open_in(folder / "left");
  EXPECT_EQ(contents(*again), contents(*store));
  // And with a log that ends in the middle of its last commit: all that came before.
  fs::create_directory(folder / "torn");
  for (const char* name : {"hawser.db", "hawser.db-wal"})
    fs::copy_file(folder / "live" + "/" + name, folder / "torn" + "/" + name);
  const std::string log = folder / "torn/hawser.db-wal";
  fs::resize_file(log, fs::file_size(log) - 100);
  const auto torn = open_in(folder / "torn");
  const Recovered recovered = load(*torn);
  ASSERT_EQ(recovered.queues.size(), 1U);
  EXPECT_EQ(recovered.queues[0].messages.size(), 20U);
}

TEST(SqliteStore, a_folder_belongs_to_one_program) {
  const TemporaryFolder folder;
  auto store = open_in(folder / "data");
  const Error error = error_of(folder / "data");
  EXPECT_EQ(error.kind, ErrorKind::already_exists);
  EXPECT_EQ(error.text(), "store: the data folder " + folder / "data" + " is in use by process " +
                              std::to_string(::getpid()));
  store.reset();
  EXPECT_TRUE(SqliteStore::open(folder / "data").has_value());
}

TEST(SqliteStore, folder_and_file_are_for_this_user_alone) {
  const TemporaryFolder folder;
  const auto store = open_in(folder / "a/b/c//");
  must_write(*store, {declare_change(stored_queue(1, "jobs"))});
  const auto mode = [](const std::string& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777U;
  };
  EXPECT_EQ(mode(folder / "a"), 0700U);
  EXPECT_EQ(mode(folder / "a/b/c"), 0700U);
  EXPECT_EQ(mode(folder / "a/b/c/hawser.db"), 0600U);
  EXPECT_EQ(mode(folder / "a/b/c/hawser.db-wal"), 0600U);
}

TEST(SqliteStore, says_why_a_folder_cannot_be_used) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of("").kind, ErrorKind::invalid_argument);
  const Error nowhere = error_of("/proc/hawser/data");
  EXPECT_NE(nowhere.text().find("cannot make the folder /proc/hawser"), std::string::npos)
      << nowhere.text();
  std::ofstream(folder / "file") << "x";
  const Error file = error_of(folder / "file");
  EXPECT_NE(file.text().find("cannot write in the folder " + folder / "file"), std::string::npos)
      << file.text();
  if (::geteuid() == 0) return;  // who may do everything is refused nothing
  fs::create_directory(folder / "locked");
  ::chmod((folder / "locked").c_str(), 0500);
  EXPECT_EQ(error_of(folder / "locked").kind, ErrorKind::refused);
}

TEST(SqliteStore, refuses_a_file_that_is_not_its_own) {
  const TemporaryFolder folder;
  const auto with = [&](const std::string& name, auto&& make) {
    fs::create_directory(folder / name);
    make(folder / name + "/hawser.db");
    return error_of(folder / name);
  };
  const auto sql = [](const char* text) {
    return [text](const std::string& file) {
      std::ofstream(file).flush();
      detail::SqliteDatabase database;
      ASSERT_TRUE(database.open(file).has_value());
      ASSERT_TRUE(database.execute(text).has_value());
    };
  };
  const Error garbage = with(
      "garbage", [](const std::string& file) { std::ofstream(file) << std::string(10'000, 'x'); });
  EXPECT_EQ(garbage.kind, ErrorKind::failed);
  EXPECT_NE(garbage.text().find("is damaged or no file of this program"), std::string::npos);
  EXPECT_NE(garbage.text().find(folder / "garbage/hawser.db"), std::string::npos);
  const Error other = with("other", sql("CREATE TABLE recipes (text)"));
  EXPECT_NE(other.text().find("is a database of another program"), std::string::npos);
  const Error newer =
      with("newer", sql("PRAGMA application_id = 1213682514; PRAGMA user_version = 3;"
                        "CREATE TABLE future (x)"));
  EXPECT_EQ(newer.kind, ErrorKind::unsupported);
  EXPECT_NE(newer.text().find("has version 3 of the tables and this program knows 2"),
            std::string::npos)
      << newer.text();
}

TEST(SqliteStore, brings_a_file_of_version_1_up_to_date) {
  const TemporaryFolder folder;
  {
    const auto store = open_in(folder.path());
    must_write(*store,
               {declare_change(stored_queue(1, "jobs")), add_change(1, 7, text_message("stays"))});
  }
  {
    detail::SqliteDatabase database;
    ASSERT_TRUE(database.open(folder / "hawser.db").has_value());
    ASSERT_TRUE(database
                    .execute("ALTER TABLE queues DROP COLUMN next_sequence; "
                             "PRAGMA user_version = 1")
                    .has_value());
  }
  for (int times = 0; times < 2; ++times) {
    const auto store = open_in(folder.path());
    const Recovered recovered = load(*store);
    ASSERT_EQ(recovered.queues.size(), 1U);
    EXPECT_EQ(recovered.queues[0].definition.next_sequence, 1U);
    ASSERT_EQ(recovered.queues[0].messages.size(), 1U);
    EXPECT_EQ(recovered.queues[0].messages[0].sequence, 7U);
    EXPECT_EQ(ask(*store, "PRAGMA user_version"), 2);
  }
}

TEST(SqliteStore, a_damaged_page_is_an_error_and_no_end) {
  const TemporaryFolder folder;
  {
    const auto store = open_in(folder.path());
    must_write(*store, {declare_change(stored_queue(1, "jobs"))});
    for (std::uint64_t i = 1; i <= 50; ++i)
      must_write(*store, {add_change(1, i, text_message(patterned(3000)))});
  }
  {
    std::fstream file(folder / "hawser.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20L * 4096);
    file << std::string(4096L * 20, '\x5A');
  }
  const Error refused = error_of(folder.path());
  EXPECT_EQ(refused.kind, ErrorKind::failed);
  EXPECT_NE(refused.text().find("hawser.db is damaged"), std::string::npos) << refused.text();
  const auto store = open_in(folder.path(), {.check = false});
  const auto recovered = store->load(any_destination);
  ASSERT_FALSE(recovered.has_value());
  EXPECT_EQ(recovered.error().kind, ErrorKind::failed);
  EXPECT_NE(recovered.error().text().find("damaged"), std::string::npos);
}

TEST(SqliteStore, a_full_file_refuses_and_goes_on_when_there_is_room) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path(), {.maximum_bytes = 1'000'000});
  must_write(*store, {declare_change(stored_queue(1, "jobs"))});
  std::uint64_t kept = 0;
  Result<void> written;
  while ((written = write(*store, {add_change(1, kept + 1, text_message(patterned(50'000)))}))) {
    ++kept;
    ASSERT_LT(kept, 100U);
  }
  EXPECT_GE(kept, 15U);
  EXPECT_EQ(written.error().kind, ErrorKind::exhausted);
  EXPECT_NE(written.error().text().find("no space is left"), std::string::npos);
  // One large message does not stand in the way of what needs no room.
  must_write(*store, {delivered_change(1, 2, 1)});
  // What makes room and what needs it may come in one write.
  must_write(*store, {add_change(1, kept + 1, text_message(patterned(50'000))), settle_change(1, 1),
                      settle_change(1, 3)});
  EXPECT_EQ(load(*store).queues.at(0).messages.size(), kept - 1);
  EXPECT_EQ(load(*store).queues[0].messages[0].deliveries, 1U);
}

std::uintmax_t disk_use(const std::string& folder) {
  std::uintmax_t sum = 0;
  for (const auto& entry : fs::directory_iterator(folder)) sum += entry.file_size();
  return sum;
}

TEST(SqliteStore, a_queue_that_is_emptied_as_it_is_filled_costs_bounded_space) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path(), {.log_bytes = 500'000, .free_bytes = 200'000});
  must_write(*store, {declare_change(stored_queue(1, "jobs"))});
  for (std::uint64_t i = 1; i <= 1500; ++i) {
    std::vector<StoreChange> changes{add_change(1, i, text_message(patterned(20'000)))};
    if (i > 10) changes.push_back(settle_change(1, i - 10));
    must_write(*store, std::move(changes));
    if (i % 100 == 0) {
      EXPECT_LT(disk_use(folder.path()), 2'500'000U) << i;
    }
  }
  EXPECT_GT(store->statistics().checkpoints, 20U);
}

TEST(SqliteStore, space_that_is_not_needed_is_given_back) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path(), {.log_bytes = 200'000, .free_bytes = 1'000'000});
  must_write(*store, {declare_change(stored_queue(1, "jobs"))});
  for (std::uint64_t i = 1; i <= 100; ++i)
    must_write(*store, {add_change(1, i, text_message(patterned(200'000)))});
  for (std::uint64_t i = 1; i <= 100; ++i) must_write(*store, {settle_change(1, i)});
  for (std::uint64_t i = 1; i <= 600; ++i)
    must_write(*store,
               {add_change(1, 100 + i, text_message(patterned(4'000))), settle_change(1, 99 + i)});
  EXPECT_LT(disk_use(folder.path()), 4'000'000U);
}

TEST(SqliteStore, a_program_that_only_looks_is_not_in_the_way) {
  const TemporaryFolder folder;
  const auto store = open_in(folder.path());
  must_write(*store,
             {declare_change(stored_queue(1, "jobs")), add_change(1, 1, text_message("a"))});
  detail::SqliteDatabase database;
  ASSERT_TRUE(database.open(store->file()).has_value());
  auto reading = database.prepare("SELECT name, bytes FROM contents");
  ASSERT_TRUE(reading.has_value());
  ASSERT_TRUE(reading->step().value_or(false));
  must_write(*store, {add_change(1, 2, text_message("b"))});
  EXPECT_EQ(reading->bytes(0), "jobs");
  EXPECT_EQ(reading->integer(1), 1);
}

TEST(SqliteStore, opens_by_path_by_default_and_not_at_all) {
  const TemporaryFolder folder;
  const auto none = open_store(":memory:");
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ(*none, nullptr);
  const auto store = open_store(folder / "x");
  ASSERT_TRUE(store.has_value());
  EXPECT_NE(*store, nullptr);
  EXPECT_TRUE(fs::exists(folder / "x/hawser.db"));
  EXPECT_EQ(detail::state_folder("/state", "/home/me").value_or(""), "/state/hawser");
  EXPECT_EQ(detail::state_folder("relative", "/home/me").value_or(""),
            "/home/me/.local/state/hawser");
  EXPECT_EQ(detail::state_folder(nullptr, "/home/me").value_or(""), "/home/me/.local/state/hawser");
  EXPECT_EQ(detail::state_folder(nullptr, nullptr).error().kind, ErrorKind::not_found);
}

/// Draws writes as a bus would make them: sequences rise, ids are never used again.
class Drawn {
 public:
  explicit Drawn(std::uint64_t seed) : random_(seed) {}

  StoreBatch batch() {
    StoreBatch batch;
    for (std::uint64_t count = 1 + random_.below(12); count > 0; --count) {
      const std::uint64_t what = random_.below(20);
      if (queues_.empty() || what == 0) {
        const std::uint64_t id = ++last_id_;
        queues_.push_back({id, random_.below(1000), {}});
        batch.changes.push_back(declare_change(stored_queue(id, "q" + std::to_string(id))));
        continue;
      }
      const std::size_t place = random_.below(queues_.size());
      Queue& queue = queues_[place];
      if (what == 1 && queues_.size() > 3) {
        batch.changes.push_back(remove_change(queue.id));
        queues_.erase(queues_.begin() + static_cast<std::ptrdiff_t>(place));
      } else if (what < 12 || queue.kept.empty()) {
        queue.next += 1 + random_.below(3);
        queue.kept.push_back(queue.next);
        const std::size_t size = random_.below(40) == 0 ? 300'000 : random_.below(5000);
        batch.changes.push_back(add_change(queue.id, queue.next, text_message(patterned(size)),
                                           static_cast<std::uint32_t>(random_.below(3))));
      } else {
        const std::size_t which = random_.below(queue.kept.size());
        const std::uint64_t sequence = queue.kept[which];
        if (what < 15) {
          batch.changes.push_back(
              delivered_change(queue.id, sequence, static_cast<std::uint32_t>(random_.below(9))));
        } else {
          batch.changes.push_back(settle_change(queue.id, sequence));
          queue.kept.erase(queue.kept.begin() + static_cast<std::ptrdiff_t>(which));
        }
      }
    }
    return batch;
  }
  Random& random() noexcept { return random_; }

 private:
  struct Queue {
    std::uint64_t id;
    std::uint64_t next;
    std::vector<std::uint64_t> kept;
  };
  Random random_;
  std::vector<Queue> queues_;
  std::uint64_t last_id_ = 0;
};

TEST(SqliteStore, agrees_with_the_simulated_store_whatever_is_written) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const TemporaryFolder folder;
    SimulatedStore model;
    Drawn drawn(seed);
    auto store = open_in(folder.path(), {.log_bytes = 300'000, .free_bytes = 100'000});
    for (int round = 0; round < 40; ++round) {
      std::vector<StoreBatch> batches;
      for (std::uint64_t count = 1 + drawn.random().below(4); count > 0; --count)
        batches.push_back(drawn.batch());
      ASSERT_TRUE(model.write(batches).has_value());
      const auto written = store->write(batches);
      ASSERT_TRUE(written.has_value()) << written.error().text();
      if (drawn.random().below(8) == 0) {
        store.reset();
        store = open_in(folder.path(), {.log_bytes = 300'000, .free_bytes = 100'000});
      }
      ASSERT_EQ(contents(*store), contents(model)) << "seed " << seed << ", round " << round;
    }
    EXPECT_TRUE(model.faults().empty()) << model.faults().front();
  }
}

}  // namespace
}  // namespace hawser::bus
