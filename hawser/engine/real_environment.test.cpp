// The real environment: the choice of engine in all its ways, threads and their signals, gates.
#include <hawser/base/log.hpp>
#include <hawser/engine/environment.hpp>
#include <hawser/engine/uring/uring_engine.hpp>

#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

namespace hawser {
namespace {

class Lines final : public Log {
 public:
  Lines() : Log(LogLevel::info) {}
  void write(LogLevel, std::string_view source, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    all += std::string(source) + ": " + std::string(text) + "\n";
  }
  std::string all;

 private:
  std::mutex mutex_;
};

/// Sets HAWSER_ENGINE for one test.
class Variable {
 public:
  explicit Variable(const char* value) { ::setenv("HAWSER_ENGINE", value, 1); }
  ~Variable() { ::unsetenv("HAWSER_ENGINE"); }
};

bool has_uring() { return detail::probe_uring().has_value(); }

TEST(EngineChoiceText, KnowsThree) {
  EXPECT_EQ(parse_engine_choice("uring"), EngineChoice::uring);
  EXPECT_EQ(parse_engine_choice("epoll"), EngineChoice::epoll);
  EXPECT_EQ(parse_engine_choice("auto"), EngineChoice::automatic);
  for (const char* wrong : {"", "kqueue", "URING", "auto "}) {
    const auto choice = parse_engine_choice(wrong);
    ASSERT_FALSE(choice) << wrong;
    EXPECT_NE(choice.error().text().find("uring, epoll or auto"), std::string::npos);
  }
}

TEST(RealEnvironment, PrefersUringAndSaysWhyOnce) {
  if (!has_uring()) GTEST_SKIP() << detail::probe_uring().error().text();
  Lines log;
  const auto environment = make_real_environment();
  const auto first = environment->make_engine(0, log);
  const auto second = environment->make_engine(1, log);
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*second)->info().name, "uring");
  EXPECT_TRUE(log.all.starts_with("engine: uring (io_uring of kernel ")) << log.all;
  EXPECT_TRUE(log.all.ends_with(": multishot receive, buffer ring, deferred task run)\n"))
      << log.all;
  EXPECT_EQ(std::ranges::count(log.all, '\n'), 1);
  EXPECT_NE((*first)->random().next(), (*second)->random().next());
}

TEST(RealEnvironment, ObeysTheVariableUnlessTheProgramChose) {
  const Variable epoll("epoll");
  Lines log;
  const auto automatic = make_real_environment();
  const auto chosen = make_real_environment({.engine = EngineChoice::uring});
  auto engine = automatic->make_engine(0, log);
  ASSERT_TRUE(engine);
  EXPECT_EQ((*engine)->info().name, "epoll");
  EXPECT_EQ(log.all, "engine: epoll (chosen by HAWSER_ENGINE)\n");
  if (!has_uring()) GTEST_SKIP() << detail::probe_uring().error().text();
  engine = chosen->make_engine(0, log);
  ASSERT_TRUE(engine);
  EXPECT_EQ((*engine)->info().name, "uring");
}

TEST(RealEnvironment, RefusesAMistypedVariable) {
  const Variable wrong("iouring");
  Lines log;
  const auto engine = make_real_environment()->make_engine(0, log);
  ASSERT_FALSE(engine);
  EXPECT_NE(engine.error().text().find("HAWSER_ENGINE=\"iouring\""), std::string::npos)
      << engine.error().text();
}

void forbid_io_uring() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(rules)), rules};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
    std::exit(2);
  }
}

void choose_without_io_uring(EngineChoice choice) {
  forbid_io_uring();
  Lines log;
  const auto environment = make_real_environment({.engine = choice});
  const auto engine = environment->make_engine(0, log);
  std::fprintf(stderr, "%s%s\n", log.all.c_str(), engine ? "" : engine.error().text().c_str());
  std::_Exit(engine ? 0 : 1);
}

TEST(RealEnvironment, FallsBackToEpollButNotWhenForced) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(choose_without_io_uring(EngineChoice::automatic), ::testing::ExitedWithCode(0),
              "engine: epoll .io_uring refused: EPERM; a container's seccomp profile or sysctl "
              "kernel.io_uring_disabled does that.");
  EXPECT_EXIT(choose_without_io_uring(EngineChoice::uring), ::testing::ExitedWithCode(1),
              "engine uring, chosen by option: io_uring refused: EPERM.*choose auto or epoll");
}

TEST(RealEnvironment, TellsHowManySchedulers) {
  EXPECT_EQ(make_real_environment({.schedulers = 3})->default_schedulers(), 3U);
  EXPECT_GE(make_real_environment()->default_schedulers(), 1U);
}

class Turns final : public Loop {
 public:
  Turns(Engine& engine, int turns) : engine_(engine), left_(turns) {}
  bool turn() override {
    std::array<char, 16> buffer{};
    pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
    name = buffer.data();
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    thread = std::this_thread::get_id();
    engine_.poll(engine_.now());
    return --left_ > 0;
  }
  Engine& engine() noexcept override { return engine_; }

  std::string name;
  sigset_t mask{};
  std::thread::id thread;

 private:
  Engine& engine_;
  int left_;
};

TEST(RealEnvironment, GivesEachLoopAThreadWithoutSignals) {
  Lines log;
  const auto environment = make_real_environment();
  auto one = environment->make_engine(0, log).value();
  auto two = environment->make_engine(1, log).value();
  Turns first(*one, 3), second(*two, 1);
  Loop* const loops[] = {&first, &second};
  environment->start(loops);
  environment->join();
  EXPECT_EQ(first.name, "hawser/0");
  EXPECT_EQ(second.name, "hawser/1");
  EXPECT_NE(first.thread, second.thread);
  EXPECT_NE(first.thread, std::this_thread::get_id());
  sigset_t here;
  pthread_sigmask(SIG_SETMASK, nullptr, &here);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
    EXPECT_TRUE(sigismember(&first.mask, signal));
    EXPECT_FALSE(sigismember(&here, signal));
  }
  EXPECT_FALSE(sigismember(&first.mask, SIGUSR1));
}

TEST(RealEnvironment, WaitsForAGate) {
  const auto environment = make_real_environment();
  Gate never_opened, opened_elsewhere;
  EXPECT_FALSE(environment->wait(never_opened, 1ms));
  std::thread other([&] { opened_elsewhere.open(); });
  EXPECT_TRUE(environment->wait(opened_elsewhere, Duration::max()));
  other.join();
  EXPECT_TRUE(environment->wait(opened_elsewhere, Duration::zero()));
  EXPECT_TRUE(opened_elsewhere.is_open());
}

}  // namespace
}  // namespace hawser
