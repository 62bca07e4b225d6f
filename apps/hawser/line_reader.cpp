// poll() on stdin and on a pipe whose end says: enough.
#include "line_reader.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

namespace hawser::app {

void LineReader::start(std::function<bool(std::string_view)> line, std::function<bool()> ended) {
  if (::pipe(wake_) != 0) return;
  thread_ =
      std::thread([this, line = std::move(line), ended = std::move(ended)] { run(line, ended); });
}

void LineReader::stop() {
  if (!thread_.joinable()) return;
  ::close(wake_[1]);
  thread_.join();
  ::close(wake_[0]);
}

void LineReader::run(const std::function<bool(std::string_view)>& line,
                     const std::function<bool()>& ended) {
  constexpr std::size_t longest_line = std::size_t{4} << 20;
  std::string held;
  bool open = true;
  bool full = false;  // the next line was not taken
  for (;;) {
    std::array<pollfd, 2> watched = {pollfd{wake_[0], POLLIN, 0}, pollfd{0, POLLIN, 0}};
    const bool reading = open && !full;
    const int ready = ::poll(watched.data(), reading ? 2 : 1, reading ? -1 : 100);
    if (ready < 0 && errno != EINTR) return;
    if (watched[0].revents != 0) return;
    if (reading) {
      if (watched[1].revents == 0) continue;
      std::array<char, 65'536> piece{};
      const ssize_t size = ::read(0, piece.data(), piece.size());
      if (size < 0 && errno == EINTR) continue;
      if (size > 0) held.append(piece.data(), static_cast<std::size_t>(size));
      open = size > 0;
      if ((!open && !held.empty() && held.back() != '\n') || held.size() > longest_line)
        held += '\n';
    }
    std::size_t begin = 0;
    full = false;
    for (std::size_t end = held.find('\n'); end != std::string::npos && !full;
         end = held.find('\n', begin)) {
      full = !line(std::string_view(held).substr(begin, end - begin));
      if (!full) begin = end + 1;
    }
    held.erase(0, begin);
    if (!open && !full && !ended()) return;
  }
}

}  // namespace hawser::app
