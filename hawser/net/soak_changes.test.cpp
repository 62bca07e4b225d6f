// Live changes of code, and files on their way, while the network misbehaves and connections come,
// go and are killed: every count goes on where it was, every file arrives whole between the packets
// around it, and at the end nothing is left.
#include <hawser/engine/sim/seeds.hpp>
#include <hawser/net/module/module_server.hpp>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/process/sys.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

using testing::framed;
using testing::NetWorld;
using testing::Peer;
using testing::unframed;

/// A folder that goes with the test.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::path(::testing::TempDir()) /
              ("hawser-changes-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Has one file sent by a connection, as a packet, and counts how that went.
struct Sender {
  Ref<Connection> to;
  std::string path;
  std::uint64_t offset;
  std::uint64_t size;
  int* whole;

  void init() { self().start(run()); }
  Task<> run() {
    FileToSend file(path, offset, size);
    file.head = [](std::uint64_t bytes) { return framed(std::string(bytes, ' ')).substr(0, 2); };
    SendFile order(std::move(file));
    const auto sent = co_await to.call(std::move(order), Duration::max());
    if (sent) ++*whole;
    self().stop(Reason::normal());
  }
};

struct Sum {
  int answers = 0;
  int changes = 0;
  int files_whole = 0;
  int files_seen = 0;
  int served = 0;  // until the evening
};

class Day {
 public:
  Day(sim::World& world, const Folder& folder)
      : random_(world.random()),
        net_(world, 1 + static_cast<unsigned>(world.seed() % 3)),
        module_(folder.file("tally.so")),
        data_(folder.file("data")) {
    // Its bytes tell their place, and no answer of the handler's begins so.
    for (int i = 0; bytes_.size() < 200'000; ++i) bytes_ += "#" + std::to_string(i);
    std::ofstream(data_, std::ios::binary) << bytes_;
    put(1);
  }

  void run(Sum& sum) {
    const auto before = net_.left();
    auto opened = ModuleHost::open(module_, {});
    ASSERT_TRUE(opened.has_value()) << opened.error().text();
    ServerOptions options;
    options.listen = ListenAddress(net_.world().host("server").address(0));
    options.framing = module_framing(**opened, raw());
    options.connection.high_water = 30'000;
    options.connection.low_water = 5'000;
    options.connection.packet_timeout = 5s;
    options.connection.write_deadline = 20s;
    options.connection.idle_timeout = 40s;
    options.drain_deadline = 5s;
    ASSERT_TRUE(net_.system->start(module_server("it", options, *opened)).has_value());
    ASSERT_TRUE(net_.system->start(module_watch("it", *opened)).has_value());
    at_ = net_.status().address;

    net_.world().set_faults(sim::Faults::swarm(random_));
    for (int round = 0; round < 80; ++round) {
      act(round);
      net_.run(Duration(static_cast<std::int64_t>(random_.below(400'000'000))));
    }
    net_.world().set_faults(sim::Faults::none());
    for (auto& client : clients_) client.peer->read(true);
    if ((*opened)->current()->version() == version_) put(3 - version_);
    for (int i = 0; i < 12; ++i) {
      for (auto& client : clients_)
        if (client.peer->open()) client.say("last");
      net_.run(10s);
    }
    EXPECT_EQ((*opened)->current()->version(), version_);
    // Whoever is still there is moved, and has answered all that came. (A peer alone cannot tell: a
    // stalled network may keep the answers, or the end, from it.)
    const std::string here = "version " + std::to_string(version_);
    const auto all = server_connections(*net_.system, "it");
    ASSERT_TRUE(all.has_value());
    for (const ConnectionInfo& each : *all) {
      EXPECT_EQ(each.packets_in, each.packets_out);
      const auto says = sys::describe(net_.system->environment(), each.pid);
      EXPECT_NE(says.value_or("").find(here), std::string::npos) << says.value_or("gone");
    }
    for (auto& client : clients_) {
      judge(client, sum);
      if (client.answered == client.said.size() && client.last_version == version_) ++sum.served;
    }
    sum.changes += static_cast<int>(net_.lines_with("connections moved"));
    sum.files_whole += files_whole_;
    EXPECT_TRUE(net_.system->stop_child("it/module").has_value());
    EXPECT_TRUE(net_.system->stop_child("it").has_value());
    clients_.clear();
    net_.run(120s);
    EXPECT_EQ(net_.left(), before);
    EXPECT_EQ(net_.lines_with("check failed"), 0U) << net_.all_lines();
    EXPECT_EQ(net_.lines_with("kept their version"), 0U) << net_.all_lines();
  }

 private:
  struct Client {
    std::unique_ptr<Peer> peer;
    std::vector<std::string> said;
    std::size_t answered = 0;
    unsigned last_version = 0;
    void say(const std::string& word) {
      said.push_back(word);
      peer->send(framed(word));
    }
  };

  void put(unsigned version) {
    version_ = version;
    const std::string from =
        std::string(HAWSER_TEST_MODULES) + "/tally_" + std::to_string(version) + ".so";
    std::filesystem::copy_file(from, module_ + ".new");
    std::filesystem::rename(module_ + ".new", module_);
  }

  void act(int round) {
    const auto kind = random_.below(20);
    if (kind == 0) put(3 - version_);
    if (kind == 1) net_.system->request_reload();
    if (kind < 6 && clients_.size() < 12)
      clients_.push_back({net_.connect(at_, random_.below(5) != 0), {}});
    if (kind == 6 || kind == 7) send_a_file();
    if (kind == 8) kill_one();
    if (clients_.empty()) return;
    Client& client = clients_[random_.below(clients_.size())];
    switch (random_.below(24)) {
      case 0:
        client.say("crash");
        break;
      case 1:
        client.peer->end();
        break;
      case 2:
        client.peer->close(CloseMode::reset);
        break;
      case 3:
        client.peer->read(random_.below(2) == 0);
        break;
      default:
        for (auto i = random_.below(6); i > 0; --i)
          client.say(std::to_string(round) + "." + std::to_string(i));
    }
  }

  Pid any_connection() {
    const auto all = server_connections(*net_.system, "it");
    return all && !all->empty() ? (*all)[random_.below(all->size())].pid : Pid{};
  }
  void kill_one() {
    if (const Pid pid = any_connection()) send_exit(pid, Reason::killed());
  }
  void send_a_file() {
    const Pid pid = any_connection();
    if (!pid) return;
    const std::uint64_t offset = random_.below(bytes_.size());
    const std::uint64_t size =
        std::min<std::uint64_t>(random_.below(60'000), bytes_.size() - offset);
    static_cast<void>(
        net_.system->spawn<Sender>({}, Ref<Connection>(pid), data_, offset, size, &files_whole_));
  }

  /// Answers are "vVERSION COUNT WORD": one for each word, in order, counted without a gap.
  void judge(Client& client, Sum& sum) const {
    for (const auto& packet : unframed(client.peer->received)) {
      if (!packet.starts_with('v')) {
        EXPECT_NE(bytes_.find(packet), std::string::npos) << "a file that came otherwise";
        ++sum.files_seen;
        continue;
      }
      ++sum.answers;
      ASSERT_LT(client.answered, client.said.size());
      const std::string due =
          " " + std::to_string(client.answered + 1) + " " + client.said[client.answered];
      ++client.answered;
      EXPECT_EQ(packet.substr(2), due);
      client.last_version = static_cast<unsigned>(packet[1] - '0');
    }
  }

  Random& random_;
  NetWorld net_;
  std::string module_;
  std::string data_;
  std::string bytes_;
  unsigned version_ = 1;
  int files_whole_ = 0;
  Address at_;
  std::vector<Client> clients_;
};

TEST(Soak, CodeChangesAndFilesInAnyWeather) {
  const Folder folder;
  Sum sum;
  sim::SeedOptions seeds;
  seeds.has_failed = [] { return ::testing::Test::HasFailure(); };
  seeds.arguments = "--gtest_filter=Soak.CodeChangesAndFilesInAnyWeather";
  const auto report =
      sim::for_each_seed(60, [&](sim::World& world) { Day(world, folder).run(sum); }, seeds);
  if (report.runs >= 60) {
    EXPECT_GT(sum.answers, 2'000);
    EXPECT_GT(sum.changes, 150);
    EXPECT_GT(sum.files_whole, 100);
    EXPECT_GT(sum.files_seen, 100);
    EXPECT_GT(sum.served, 60);
  }
  EXPECT_TRUE(static_cast<bool>(report)) << "seed " << report.seed << ": " << report.reason;
}

}  // namespace
}  // namespace hawser
