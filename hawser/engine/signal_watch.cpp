// A thread in poll(2) over a signalfd and the eventfd that ends it.
#include <hawser/engine/signal_watch.hpp>

#include <hawser/base/check.hpp>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <map>
#include <thread>
#include <utility>

namespace hawser {

struct SignalWatch::State {
  sigset_t watched{};
  sigset_t before{};
  int signals = -1;
  int end = -1;
  std::move_only_function<void(int)> on_signal;
  std::thread thread;

  void run() {
    std::array<pollfd, 2> descriptors{pollfd{signals, POLLIN, 0}, pollfd{end, POLLIN, 0}};
    for (;;) {
      if (::poll(descriptors.data(), descriptors.size(), -1) < 0 && errno != EINTR) return;
      if (descriptors[1].revents != 0) return;
      signalfd_siginfo info{};
      if (descriptors[0].revents == 0 || ::read(signals, &info, sizeof info) != sizeof info)
        continue;
      const auto now = std::chrono::steady_clock::now();
      auto& of_this_kind = last[info.ssi_signo];
      if (info.ssi_signo != SIGHUP && now - of_this_kind < SignalWatch::echo) continue;
      of_this_kind = now;
      on_signal(static_cast<int>(info.ssi_signo));
    }
  }
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> last;  // by signal
};

SignalWatch::SignalWatch(const std::vector<int>& numbers,
                         std::move_only_function<void(int)> on_signal)
    : state_(std::make_unique<State>()) {
  sigemptyset(&state_->watched);
  for (const int number : numbers) sigaddset(&state_->watched, number);
  pthread_sigmask(SIG_BLOCK, &state_->watched, &state_->before);
  state_->signals = ::signalfd(-1, &state_->watched, SFD_CLOEXEC);
  state_->end = ::eventfd(0, EFD_CLOEXEC);
  check(state_->signals >= 0 && state_->end >= 0, "signalfd and eventfd can be made");
  state_->on_signal = std::move(on_signal);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

SignalWatch::~SignalWatch() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(state_->end, &one, sizeof one);
  state_->thread.join();
  ::close(state_->signals);
  ::close(state_->end);
  pthread_sigmask(SIG_SETMASK, &state_->before, nullptr);
}

}  // namespace hawser
