// Live change of code in a simulated world with real shared objects: what crosses, what stays, what
// is refused, and that the old object goes.
#include <hawser/net/module/module_server.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/process/sys.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::unframed;
using Packets = std::vector<std::string>;

class Upgrade : public ::testing::Test {
 protected:
  void SetUp() override {
    name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder = std::filesystem::path(::testing::TempDir()) /
             ("hawser-upgrade-" + name + "-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
  }
  void TearDown() override {
    peers.clear();
    net.reset();
    std::filesystem::remove_all(folder);
  }

  std::string path() const { return folder / (name + ".so"); }
  static std::string module(const std::string& which) {
    return std::string(HAWSER_TEST_MODULES) + "/" + which + ".so";
  }
  /// As `install` and package managers do: the new file takes the place of the old one at once.
  void put(const std::string& which) {
    std::filesystem::copy_file(module(which), path() + ".new");
    std::filesystem::rename(path() + ".new", path());
  }

  void start(ModuleOptions options = {}, const std::string& first = "tally_1") {
    put(first);
    auto opened = ModuleHost::open(path(), options);
    ASSERT_TRUE(opened.has_value()) << opened.error().text();
    host = *opened;
    net = std::make_unique<NetWorld>();
    ServerOptions server;
    server.listen = ListenAddress(net->world().host("server").address(0));
    server.framing = module_framing(*host, raw());
    const auto started = net->system->start(module_server("it", server, host));
    ASSERT_TRUE(started.has_value()) << started.error().text();
    ASSERT_TRUE(net->system->start(module_watch("it", host)).has_value());
    at = net->status().address;
  }
  Peer& connect() {
    peers.push_back(net->connect(at));
    EXPECT_EQ(ask(*peers.back(), "hello"),
              "v" + std::to_string(host->current()->version()) + " 1 hello");
    return *peers.back();
  }
  std::string ask(Peer& peer, std::string_view question) {
    const std::size_t before = unframed(peer.received).size();
    peer.send(framed(question));
    if (!net->until([&] { return unframed(peer.received).size() > before || peer.over(); }))
      return "no answer";
    return peer.over() ? "over" : unframed(peer.received).back();
  }
  bool until_line(std::string_view part) {
    return net->until([&] { return net->lines_with(part) > 0; });
  }
  ModuleStatus status() {
    auto answer =
        net->system->call(Ref<ModuleWatch>(net->system->whereis("it/module")), GetModuleStatus{});
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(ModuleStatus{});
  }
  /// The private copy of that version is in this program's memory.
  bool mapped(unsigned version) const {
    std::ifstream maps("/proc/self/maps");
    const std::string all{std::istreambuf_iterator<char>(maps), {}};
    return all.find("hawser-module-" + name + ".so-v" + std::to_string(version)) !=
           std::string::npos;
  }
  Pid first_connection() { return server_connections(*net->system, "it")->front().pid; }

  std::string name;
  std::filesystem::path folder;
  std::shared_ptr<ModuleHost> host;
  std::unique_ptr<NetWorld> net;
  std::vector<std::unique_ptr<Peer>> peers;
  Address at;
};

TEST_F(Upgrade, Tcp_E_40_state_crosses_and_the_old_object_goes) {
  start();
  for (int i = 0; i < 5; ++i) connect();
  EXPECT_EQ(ask(*peers[0], "a"), "v1 2 a");
  put("tally_2");
  ASSERT_TRUE(until_line("version 2: 5 connections moved")) << net->all_lines();
  EXPECT_EQ(ask(*peers[0], "b"), "v2 3 b");
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(ask(*peers[i], "b"), "v2 2 b");
  EXPECT_EQ(connect().received, framed("v2 1 hello"));
  ASSERT_TRUE(until_line("version 1 unloaded")) << net->all_lines();
  EXPECT_FALSE(mapped(1));
  EXPECT_TRUE(mapped(2));
  EXPECT_EQ(net->status().connections, 6U);
  EXPECT_EQ(net->lines_with("unexpected"), 0U) << net->all_lines();
}

TEST_F(Upgrade, Tcp_R_18_goes_back_to_an_older_version) {
  start({}, "tally_2");
  Peer& peer = connect();
  put("tally_1");
  ASSERT_TRUE(until_line("version 1: 1 connections moved"));
  EXPECT_EQ(ask(peer, "a"), "v1 2 a");
  ASSERT_TRUE(until_line("version 2 unloaded"));
  put("tally_2");
  ASSERT_TRUE(until_line("version 1 unloaded"));
  EXPECT_EQ(ask(peer, "a"), "v2 3 a");
}

TEST_F(Upgrade, a_request_to_reload_needs_no_look_at_the_file) {
  ModuleOptions options;
  options.poll = Duration::zero();
  start(options);
  Peer& peer = connect();
  put("tally_2");
  net->run(10s);
  EXPECT_EQ(ask(peer, "a"), "v1 2 a");
  net->system->request_reload();
  ASSERT_TRUE(until_line("version 2: 1 connections moved"));
  EXPECT_EQ(ask(peer, "a"), "v2 3 a");
  net->system->request_reload();
  ASSERT_TRUE(until_line("has not changed")) << net->all_lines();
  EXPECT_EQ(status().loads, 1U);
}

TEST_F(Upgrade, each_failed_migration_keeps_its_version_and_says_why) {
  start();
  Peer& peer = connect();
  put("tally_5_imports_nothing");
  ASSERT_TRUE(
      until_line("version 5: 0 connections moved, 1 kept their version: code_change: "
                 "version 5 has none (1)"))
      << net->all_lines();
  EXPECT_EQ(ask(peer, "a"), "v1 2 a");
  EXPECT_EQ(ask(peer, "b"), "v1 3 b");
  put("tally_6_even_only");
  ASSERT_TRUE(until_line("code_change: odd (1)")) << net->all_lines();
  EXPECT_EQ(ask(peer, "c"), "v1 4 c");
  EXPECT_TRUE(mapped(1));
  // Whoever comes new meanwhile has the new one.
  EXPECT_EQ(connect().received, framed("v6 1 hello"));
}

TEST_F(Upgrade, what_the_old_version_does_not_hand_over_keeps_it) {
  for (const auto& [first, why] :
       {std::pair{"tally_3_exports_nothing", "version 3 has no export_state"},
        std::pair{"tally_4_export_throws", "export_state: cannot say"}}) {
    start({}, first);
    Peer& peer = connect();
    put("tally_2");
    ASSERT_TRUE(until_line(why)) << net->all_lines();
    EXPECT_EQ(ask(peer, "a"), "v" + std::to_string(first[6] - '0') + " 2 a");
    peers.clear();
    net.reset();
  }
}

TEST_F(Upgrade, a_failure_of_some_is_no_failure_of_the_others) {
  start();
  for (int i = 0; i < 7; ++i) connect();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(ask(*peers[i], "a"), "v1 2 a");
  put("tally_6_even_only");
  ASSERT_TRUE(
      until_line("version 6: 3 connections moved, 4 kept their version: code_change: odd (4)"))
      << net->all_lines();
  EXPECT_EQ(ask(*peers[0], "b"), "v6 3 b");
  EXPECT_EQ(ask(*peers[3], "b"), "v1 2 b");
  // Those get another chance with the next version, from the one that they have.
  put("tally_2");
  ASSERT_TRUE(until_line("version 2: 7 connections moved")) << net->all_lines();
  EXPECT_EQ(ask(*peers[0], "c"), "v2 4 c");
  EXPECT_EQ(ask(*peers[3], "c"), "v2 3 c");
  ASSERT_TRUE(until_line("version 1 unloaded"));
  ASSERT_TRUE(until_line("version 6 unloaded"));
}

TEST_F(Upgrade, a_file_that_cannot_be_loaded_changes_nothing_and_is_told_once) {
  start();
  Peer& peer = connect();
  std::ofstream(path() + ".new") << "no shared object";
  std::filesystem::rename(path() + ".new", path());
  ASSERT_TRUE(until_line("Tally, version 1 stays: load module: ")) << net->all_lines();
  net->run(10s);
  EXPECT_EQ(net->lines_with("stays"), 1U) << net->all_lines();
  EXPECT_EQ(ask(peer, "a"), "v1 2 a");
  std::filesystem::remove(path());
  net->run(10s);
  EXPECT_EQ(net->lines_with("stays"), 1U) << net->all_lines();
  net->system->request_reload();
  ASSERT_TRUE(until_line("ENOENT")) << net->all_lines();
  put("tally_2");
  ASSERT_TRUE(until_line("version 2: 1 connections moved"));
}

TEST_F(Upgrade, the_same_version_twice_is_refused) {
  start();
  Peer& peer = connect();
  put("tally_1");
  ASSERT_TRUE(until_line("says that it is version 1 still; give it another number"))
      << net->all_lines();
  EXPECT_EQ(ask(peer, "a"), "v1 2 a");
  EXPECT_EQ(status().failed, 1U);
}

TEST_F(Upgrade, a_file_that_is_still_written_to_is_left_alone) {
  start();
  connect();
  std::ifstream from(module("tally_2"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(from), {}};
  std::filesystem::remove(path());
  for (int i = 0; i < 5; ++i) {
    const auto cut = static_cast<std::streamsize>(bytes.size() / 5 * static_cast<std::size_t>(i));
    std::ofstream(path(), std::ios::binary).write(bytes.data(), cut);
    net->run(1s);
  }
  EXPECT_EQ(net->lines_with("stays"), 0U) << net->all_lines();
  std::ofstream(path(), std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(until_line("version 2: 1 connections moved")) << net->all_lines();
}

TEST_F(Upgrade, overwriting_the_file_in_place_does_not_hurt_what_runs) {
  start();
  Peer& peer = connect();
  // A mapped file that is overwritten would be the death of the program.
  std::ofstream(path(), std::ios::binary) << std::string(200'000, 'x');
  EXPECT_EQ(ask(peer, "a"), "v1 2 a");
  ASSERT_TRUE(until_line("stays"));
}

TEST_F(Upgrade, timers_and_time_outs_outlive_the_change) {
  start();
  Peer& timer = connect();
  Peer& timeout = connect();
  EXPECT_EQ(ask(timer, "nudge"), "v1 2 armed");
  timeout.send(framed("timeout"));
  put("tally_2");
  ASSERT_TRUE(until_line("version 2: 2 connections moved"));
  // The old version's timer holds a message of the old version's code.
  net->run(1500ms);
  EXPECT_TRUE(mapped(1));
  ASSERT_TRUE(net->until([&] { return unframed(timer.received).size() == 3; }));
  EXPECT_EQ(unframed(timer.received).back(), "v2 2 nudged");
  ASSERT_TRUE(net->until([&] { return unframed(timeout.received).size() == 2; }));
  EXPECT_EQ(unframed(timeout.received).back(), "v2 2 timeout");
  ASSERT_TRUE(until_line("version 1 unloaded"));
}

TEST_F(Upgrade, a_connection_is_moved_once_its_tasks_have_ended) {
  start();
  Peer& peer = connect();
  put("tally_2");
  net->run(1s);
  EXPECT_EQ(ask(peer, "task"), "v1 2 waits");
  ASSERT_TRUE(until_line("replaces version 1"));
  EXPECT_EQ(ask(peer, "a"), "v1 3 a");
  ASSERT_TRUE(until_line("version 2: 1 connections moved")) << net->all_lines();
  EXPECT_EQ(unframed(peer.received).back(), "v1 103 waited");
  EXPECT_EQ(ask(peer, "a"), "v2 104 a");
  ASSERT_TRUE(until_line("version 1 unloaded"));
}

TEST_F(Upgrade, tasks_without_an_end_keep_the_version_after_the_limit) {
  ModuleOptions options;
  options.task_limit = 1s;
  start(options);
  Peer& peer = connect();
  put("tally_2");
  net->run(1s);
  EXPECT_EQ(ask(peer, "task"), "v1 2 waits");
  ASSERT_TRUE(
      until_line("1 kept their version: its tasks were still running at the end of task_limit"))
      << net->all_lines();
  EXPECT_EQ(ask(peer, "a"), "v1 3 a");
}

TEST_F(Upgrade, a_connection_cut_off_in_a_task_keeps_the_code_for_good) {
  start();
  Peer& peer = connect();
  EXPECT_EQ(ask(peer, "task"), "v1 2 waits");
  peer.close(CloseMode::reset);
  put("tally_2");
  ASSERT_TRUE(
      until_line("version 1 has no connection left and stays loaded: connections ended in "
                 "the middle of a task"))
      << net->all_lines();
  EXPECT_TRUE(mapped(1));
}

TEST_F(Upgrade, code_that_asks_for_it_stays_loaded) {
  start({}, "tally_7_stays");
  connect();
  put("tally_2");
  ASSERT_TRUE(until_line("stays loaded: it asks for that")) << net->all_lines();
  net->run(5s);
  EXPECT_TRUE(mapped(7));
}

TEST_F(Upgrade, a_process_that_the_old_code_started_keeps_it) {
  start();
  Peer& peer = connect();
  EXPECT_EQ(ask(peer, "helper"), "v1 2 helper");
  put("tally_2");
  ASSERT_TRUE(until_line("version 2: 1 connections moved"));
  net->run(10s);
  EXPECT_TRUE(mapped(1));
  for (unsigned i = 0; i < net->system->scheduler_count(); ++i) {
    ASSERT_TRUE(net->system
                    ->run_on(i,
                             [](Scheduler& scheduler) {
                               std::vector<Pid> helpers;
                               scheduler.for_each_process([&](Process& process) {
                                 if (process.handler_type().name.ends_with("Helper"))
                                   helpers.push_back(process.pid());
                               });
                               for (const Pid each : helpers) scheduler.find(each)->stop({});
                             })
                    .has_value());
  }
  ASSERT_TRUE(until_line("version 1 unloaded")) << net->all_lines();
}

TEST_F(Upgrade, a_cast_reaches_the_modules_own_handler) {
  start();
  Peer& peer = connect();
  EXPECT_EQ(ask(peer, "poke"), "v1 12 poked");
}

TEST_F(Upgrade, a_suspended_connection_is_moved_and_what_waits_for_it_keeps_the_code) {
  start();
  Peer& peer = connect();
  EXPECT_EQ(ask(peer, "nudge"), "v1 2 armed");
  const Pid pid = first_connection();
  ASSERT_TRUE(sys::suspend(net->system->environment(), pid).has_value());
  net->run(6s);  // the nudge, an object of version 1, waits in the suspended mailbox
  put("tally_2");
  ASSERT_TRUE(until_line("version 2: 1 connections moved")) << net->all_lines();
  net->run(5s);
  EXPECT_TRUE(mapped(1));
  ASSERT_TRUE(sys::resume(net->system->environment(), pid).has_value());
  ASSERT_TRUE(until_line("version 1 unloaded")) << net->all_lines();
  EXPECT_EQ(unframed(peer.received).back(), "v2 2 nudged");
}

TEST_F(Upgrade, a_crash_in_a_module_is_that_connections_alone) {
  start();
  connect();
  connect();
  EXPECT_EQ(ask(*peers[0], "crash"), "over");
  EXPECT_EQ(net->lines_with("crash: boom, in handle_packet"), 1U) << net->all_lines();
  EXPECT_EQ(ask(*peers[1], "a"), "v1 2 a");
}

TEST_F(Upgrade, the_observer_sees_the_version) {
  start();
  connect();
  const auto text = sys::describe(net->system->environment(), first_connection());
  ASSERT_TRUE(text.has_value());
  EXPECT_TRUE(text->starts_with("Tally, version 1; peer ")) << *text;
  EXPECT_TRUE(text->ends_with("; count 1")) << *text;
}

TEST_F(Upgrade, very_many_are_moved_a_slice_a_turn) {
  start();
  constexpr std::size_t count = 2000;
  for (std::size_t i = 0; i < count; ++i) {
    peers.push_back(net->connect(at));
    peers.back()->send(framed("hello"));
  }
  ASSERT_TRUE(net->until([&] {
    return std::ranges::all_of(peers, [](const auto& peer) { return !peer->received.empty(); });
  }));
  put("tally_2");
  ASSERT_TRUE(until_line("version 2: 2000 connections moved")) << net->all_lines();
  for (auto& peer : peers) peer->send(framed("x"));
  ASSERT_TRUE(net->until([&] {
    return std::ranges::all_of(peers,
                               [](const auto& peer) { return peer->received.ends_with("v2 2 x"); });
  }));
  ASSERT_TRUE(until_line("version 1 unloaded"));
}

TEST(ModuleHost, every_wrong_option_is_named) {
  ModuleOptions options;
  options.size_limit = 0;
  options.poll = -1s;
  options.task_limit = -1s;
  const auto opened = ModuleHost::open("/nowhere", options);
  ASSERT_FALSE(opened.has_value());
  for (const char* field : {"size_limit", "poll", "task_limit"})
    EXPECT_NE(opened.error().text().find(field), std::string::npos) << opened.error().text();
}

}  // namespace
}  // namespace hawser
