// fork and exec with care, the wait for the ready line, and the end.
#include <bench/load/clock.hpp>
#include <bench/load/server_process.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <vector>

extern char** environ;

namespace hawser::bench {

namespace {

constexpr int pipe_bytes = 1024 * 1024;  // what a server may print during one measurement

/// Between fork and exec: only calls that are safe there. Answers the errno of what failed.
int become_server(char* const* words, char* const* environment, int output, int errors, int cpu,
                  pid_t parent) {
  setpgid(0, 0);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) return ESRCH;
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) return errno;
  if (cpu >= 0) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(static_cast<std::size_t>(cpu), &only);
    if (sched_setaffinity(0, sizeof only, &only) != 0) return errno;
  }
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvpe(words[0], words, environment);
  return errno;
}

std::string after_semicolon(const std::string& words) {
  return words.empty() ? words : fmt::format("; {}", words);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged_environment(const Command& command) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const bool replaced = std::ranges::any_of(command.environment, [&](const auto& variable) {
      return text.starts_with(variable.first) &&
             text.substr(variable.first.size()).starts_with('=');
    });
    if (!replaced) merged.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) merged.push_back(name + "=" + value);
  return merged;
}

}  // namespace

Result<ServerProcess> ServerProcess::start(const Command& command, const ServerOptions& options) {
  if (command.words.empty()) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "start server", "no program"});
  }
  std::vector<std::string> words = command.words;
  std::vector<std::string> environment = merged_environment(command);
  const auto word_pointers = pointers(words);
  const auto environment_pointers = pointers(environment);

  ServerProcess server;
  server.options_ = options;
  std::array<int, 2> output = {};
  std::array<int, 2> failure = {};
  if (pipe2(output.data(), O_CLOEXEC) != 0)
    return std::unexpected(system_error(errno, "start server"));
  server.output_ = Descriptor(output[0]);
  Descriptor output_end(output[1]);
  fcntl(output[0], F_SETPIPE_SZ, pipe_bytes);
  fcntl(output[0], F_SETFL, O_NONBLOCK);
  if (pipe2(failure.data(), O_CLOEXEC) != 0)
    return std::unexpected(system_error(errno, "start server"));
  const Descriptor failure_read(failure[0]);
  Descriptor failure_write(failure[1]);
  server.errors_ = Descriptor(memfd_create("server stderr", MFD_CLOEXEC));
  if (!server.errors_) return std::unexpected(system_error(errno, "start server"));
  // Appending, so that the programs it starts do not overwrite one another.
  fcntl(server.errors_.get(), F_SETFL, O_APPEND);

  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return std::unexpected(system_error(errno, "start server"));
  if (child == 0) {
    const int code = become_server(word_pointers.data(), environment_pointers.data(),
                                   output_end.get(), server.errors_.get(), options.cpu, parent);
    [[maybe_unused]] const ssize_t told = write(failure_write.get(), &code, sizeof code);
    _exit(127);
  }
  setpgid(child, child);  // in whichever of the two comes first
  server.child_ = child;
  server.reaped_ = false;
  failure_write.reset();
  output_end.reset();  // so that the end of the server is the end of its output
  int code = 0;
  if (read(failure_read.get(), &code, sizeof code) == static_cast<ssize_t>(sizeof code)) {
    return std::unexpected(system_error(code, "start server", words[0]));
  }
  if (auto ready = server.await_ready(); !ready) return std::unexpected(ready.error());
  return server;
}

Result<void> ServerProcess::await_ready() {
  const Instant end = now() + options_.start_limit;
  std::string text;
  std::array<char, 4096> piece;
  while (true) {
    const Duration left = end - now();
    if (left <= Duration{0}) {
      return std::unexpected(
          Error{ErrorKind::timeout, 0, "start server",
                fmt::format("no ready line within {} s{}", to_seconds(options_.start_limit),
                            after_semicolon(last_words()))});
    }
    pollfd waiting = {output_.get(), POLLIN, 0};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    if (poll(&waiting, 1, static_cast<int>(milliseconds)) <= 0) continue;
    const ssize_t got = read(output_.get(), piece.data(), piece.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) {
      return std::unexpected(
          Error{ErrorKind::closed, 0, "start server",
                fmt::format("it ended before it was ready{}", after_semicolon(last_words()))});
    }
    text.append(piece.data(), static_cast<std::size_t>(got));
    for (std::size_t line_end = 0; (line_end = text.find('\n')) != std::string::npos;) {
      auto ready = parse_ready(std::string_view(text).substr(0, line_end), options_.ready_field);
      if (ready) {
        ready_ = std::move(*ready);
        return {};
      }
      if (ready.error().kind != ErrorKind::not_found) return std::unexpected(ready.error());
      text.erase(0, line_end + 1);
    }
  }
}

std::string ServerProcess::last_words() const {
  constexpr off_t enough = 2000;
  const off_t size = lseek(errors_.get(), 0, SEEK_END);
  std::string text(static_cast<std::size_t>(std::clamp<off_t>(size, 0, enough)), '\0');
  const ssize_t got = pread(errors_.get(), text.data(), text.size(),
                            std::max<off_t>(size - static_cast<off_t>(text.size()), 0));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const std::size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

void ServerProcess::drain_output() noexcept {
  std::array<char, 4096> piece;
  while (read(output_.get(), piece.data(), piece.size()) > 0) {
  }
}

bool ServerProcess::running() noexcept {
  if (!reaped_ && waitpid(child_, nullptr, WNOHANG) == child_) reaped_ = true;
  return !reaped_;
}

void ServerProcess::stop() noexcept {
  if (child_ == 0) return;
  if (running()) {
    const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, child_, 0)));
    // The whole group: a wrapper's children end with it.
    kill(-child_, SIGTERM);
    const Instant end = now() + options_.stop_limit;
    while (running() && now() < end) {
      drain_output();
      pollfd waiting = {process.get(), POLLIN, 0};
      poll(&waiting, 1, 50);
    }
    if (running()) {
      kill(-child_, SIGKILL);
      while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
      }
      reaped_ = true;
    }
  }
  child_ = 0;
}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : options_(other.options_),
      child_(std::exchange(other.child_, 0)),
      reaped_(std::exchange(other.reaped_, true)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      ready_(std::move(other.ready_)) {}

ServerProcess& ServerProcess::operator=(ServerProcess&& other) noexcept {
  if (this == &other) return *this;
  stop();
  options_ = other.options_;
  child_ = std::exchange(other.child_, 0);
  reaped_ = std::exchange(other.reaped_, true);
  output_ = std::move(other.output_);
  errors_ = std::move(other.errors_);
  ready_ = std::move(other.ready_);
  return *this;
}

ServerProcess::~ServerProcess() { stop(); }

}  // namespace hawser::bench
