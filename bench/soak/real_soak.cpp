// A soak on real sockets: clients of every manner come and go while connections are killed, and at
// the end of each round nothing may be left: descriptors, sockets, timers, processes, memory.
//
//   hawser_real_soak [--seconds N] [--rate CONNECTIONS] [--engine uring|epoll|both] [--seed N]
#include "crowd.hpp"

#include <hawser/base/random.hpp>
#include <hawser/engine/environment.hpp>
#include <hawser/net/pool.hpp>
#include <hawser/net/server.hpp>
#include <hawser/net/server_control.hpp>
#include <hawser/net/tls/testing/certificates.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/send.hpp>
#include <hawser/process/system.hpp>
#include <hawser/process/testing/left.hpp>

#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define HAWSER_SOAK_ASAN 1
#endif
#endif

namespace hawser::soak {
namespace {

struct Settings {
  std::chrono::milliseconds length = std::chrono::seconds(2);  // of each engine
  unsigned rate = 200;
  std::uint64_t seed = 1;
  bool uring = true;
  bool epoll = true;
};

/// The handler that the crowd talks to.
struct Host {
  std::string file;
  Next handle_packet(Packet packet) {
    if (packet == "much") return send(std::string(300'000, 'm'));
    if (packet == "crash") throw std::runtime_error("as told");
    if (packet == "stop") return send("bye").then_stop();
    if (packet != "file") return send(packet);
    connection().send_file(FileToSend(file), [](Result<void>) {});
    return keep();
  }
};

struct Echo {
  Next handle_packet(Packet packet) { return send(packet); }
};

/// A member of the pool: says something now and then, through TLS.
struct Talker {
  void init() { self().send_after(20ms, 1); }
  Next handle_info(Info& info) {
    if (info.get<int>() == nullptr) return keep();
    self().send_after(20ms, 1);
    return send("still there");
  }
  Next handle_packet(Packet) { return keep(); }
};

/// Ends a connection of each server by force, again and again, from a thread of its own.
class Killer {
 public:
  Killer(System& system, std::uint64_t seed) : system_(system), random_(seed) {}
  ~Killer() { end(); }
  Killer(const Killer&) = delete;
  Killer& operator=(const Killer&) = delete;
  std::uint64_t end() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    return killed_;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(50), [this] { return ending_; })) {
      for (const char* name : {"host", "secret"}) {
        const auto all = server_connections(system_, name);
        if (!all || all->empty()) continue;
        send_exit((*all)[random_() % all->size()].pid, Reason::killed());
        ++killed_;
      }
    }
  }
  System& system_;
  Random random_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::uint64_t killed_ = 0;
  std::thread thread_{[this] { work(); }};
};

struct Left {
  testing::Left inside;
  std::size_t descriptors = 0;
  std::size_t memory = 0;
};

std::size_t memory_in_use() {
#ifdef HAWSER_SOAK_ASAN
  return __sanitizer_get_current_allocated_bytes();
#else
  return mallinfo2().uordblks;
#endif
}

Left left(System& system) {
  Left sum{.inside = testing::left_in(system)};
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(each);
    ++sum.descriptors;
  }
  sum.memory = memory_in_use();
  return sum;
}

void must(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}
template <class T>
T must_have(Result<T> result, const char* what) {
  must(result.has_value(), std::string(what) + ": " + (result ? "" : result.error().text()));
  return *std::move(result);
}

class Soak {
 public:
  Soak(EngineChoice engine, const Settings& settings)
      : settings_(settings),
        environment_(make_real_environment({.engine = engine})),
        system_(*environment_, system_options()) {
    path_ = std::filesystem::temp_directory_path() / ("hawser-soak-" + std::to_string(getpid()));
    bytes_.resize(600'000);
    for (std::size_t i = 0; i < bytes_.size(); ++i)
      bytes_[i] = static_cast<char>(i * 7 + (i >> 8U));
    std::ofstream(path_, std::ios::binary) << bytes_;
  }
  ~Soak() { std::filesystem::remove(path_); }

  void run() {
    must(system_.launch().has_value(), "the system did not start");
    static_cast<void>(
        must_have(TlsServerContext::create(server_tls()), "TLS"));  // what OpenSSL keeps for good
    const Left at_first = left(system_);
    round(settings_.length / 5);
    const Left warm = await_rest(at_first);
    round(settings_.length - settings_.length / 5);
    const Left end = await_rest(at_first);
    std::printf("  left: %zu descriptors, %s; memory %zu KiB after a fifth, %zu KiB at the end\n",
                end.descriptors, end.inside.text().c_str(), warm.memory / 1024, end.memory / 1024);
    // What pools keep for the next burst was there after the first round; a leak grows with time.
    must(end.memory < warm.memory + (std::size_t{4} << 20), "memory has grown");
    must(system_.stop(30s), "the system did not stop");
  }

 private:
  static SystemOptions system_options() {
    SystemOptions options;
    options.schedulers = 2;
    options.log_level = LogLevel::off;
    return options;
  }
  TlsServerOptions server_tls() {
    TlsServerOptions options;
    options.identities = {certificate_.identity()};
    return options;
  }

  void round(std::chrono::milliseconds length) {
    ServerOptions host;
    host.framing = length_prefixed(4);
    host.connection.idle_timeout = 1s;
    host.connection.packet_timeout = 1s;
    host.connection.write_deadline = 2s;
    host.connection.high_water = 100'000;
    host.connection.low_water = 20'000;
    host.drain_deadline = 5s;
    must_have(system_.start(server<Host>("host", std::move(host), path_.string())), "host");
    ServerOptions secret;
    secret.transports = {tls_server(must_have(TlsServerContext::create(server_tls()), "TLS"))};
    must_have(system_.start(server<Echo>("secret", std::move(secret))), "secret");
    TlsClientOptions trusting;
    trusting.trust = authority_.trust();
    trusting.server_name = "soak.example";
    PoolOptions members;
    members.targets = {must_have(server_status(system_, "secret"), "status").address.text()};
    members.size = 10;
    members.client.transports = {tls_client(must_have(TlsClientContext::create(trusting), "TLS"))};
    must_have(system_.start(pool<Talker>("talkers", std::move(members))), "pool");
    Killer killer(system_, settings_.seed);

    const auto port = must_have(server_status(system_, "host"), "status").address.port();
    Crowd crowd(port, bytes_, settings_.seed++);
    crowd.run(settings_.rate, length);
    const ServerStatus status = must_have(server_status(system_, "host"), "status");
    must(killer.end() > 0, "nobody was killed");
    must(system_.stop_child("talkers").has_value(), "pool did not stop");
    must_have(stop_server(system_, "secret"), "secret");
    must_have(stop_server(system_, "host"), "host");
    report(crowd.report(), status);
  }

  void report(const CrowdReport& crowd, const ServerStatus& status) {
    std::printf("  %llu connections (%llu refused, %llu cut);",
                static_cast<unsigned long long>(crowd.connections),
                static_cast<unsigned long long>(crowd.refused),
                static_cast<unsigned long long>(crowd.cut));
    for (const auto done : crowd.done) std::printf(" %llu", static_cast<unsigned long long>(done));
    std::printf("; ended:");
    for (std::size_t kind = 0; kind < status.ended.size(); ++kind)
      if (status.ended[kind] != 0)
        std::printf(" %s %llu", to_string(static_cast<Reason::Kind>(kind)).data(),
                    static_cast<unsigned long long>(status.ended[kind]));
    std::printf("\n");
    std::fflush(stdout);
    must(crowd.wrong.empty(), "a client got what was not its own: " + crowd.wrong);
    must(crowd.refused == 0, "clients were refused");
    must(crowd.done[0] > 0 && crowd.done[8] > 0, "nothing worked");
  }

  /// What was closed last may take the kernel a moment.
  Left await_rest(const Left& before) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {
      const Left now = left(system_);
      // The blocking pool's threads hold none; an engine may have opened what it keeps.
      if (now.inside == before.inside && now.descriptors <= before.descriptors + descriptors_kept)
        return now;
      if (std::chrono::steady_clock::now() > until) {
        throw std::runtime_error("left over: " + std::to_string(now.descriptors) +
                                 " descriptors, " + now.inside.text() + "; there were " +
                                 std::to_string(before.descriptors) + ", " + before.inside.text());
      }
      std::this_thread::yield();
    }
  }
  static constexpr std::size_t descriptors_kept = 0;

  Settings settings_;
  testing::TestAuthority authority_;
  testing::IssuedCertificate certificate_ = authority_.issue_for("soak.example");
  std::filesystem::path path_;
  std::string bytes_;
  std::unique_ptr<Environment> environment_;
  System system_;
};

int run(int count, char** words) {
  Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = words[i];
    const std::string value = words[i + 1];
    if (name == "--seconds") {
      settings.length = std::chrono::milliseconds(500 * std::stoul(value));
    } else if (name == "--rate") {
      settings.rate = static_cast<unsigned>(std::stoul(value));
    } else if (name == "--seed") {
      settings.seed = std::stoull(value);
    } else if (name == "--engine") {
      settings.uring = value != "epoll";
      settings.epoll = value != "uring";
      if (settings.uring != settings.epoll) settings.length *= 2;
    } else {
      std::fprintf(stderr, "no option %s\n", name.c_str());
      return 2;
    }
  }
  for (const EngineChoice engine : {EngineChoice::uring, EngineChoice::epoll}) {
    const bool uring = engine == EngineChoice::uring;
    if (!(uring ? settings.uring : settings.epoll)) continue;
    std::printf("%s\n", uring ? "uring" : "epoll");
    Soak(engine, settings).run();
  }
  return 0;
}

}  // namespace
}  // namespace hawser::soak

int main(int count, char** words) {
  try {
    return hawser::soak::run(count, words);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "soak: %s\n", failure.what());
    return 1;
  }
}
