// Reads stdin line by line on a thread of its own, and can be stopped while it waits. Internal to
// the program.
#pragma once

#include <functional>
#include <string_view>
#include <thread>

namespace hawser::app {

class LineReader {
 public:
  LineReader() = default;
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  ~LineReader() { stop(); }

  /// `line` gets each line without its end, the last one too if it has none; a line that it does
  /// not take (false) it is given again, about ten times a second, and nothing is read meanwhile.
  /// After the end of the input `ended` is asked as often until it answers false.
  void start(std::function<bool(std::string_view)> line, std::function<bool()> ended);
  void stop();

 private:
  void run(const std::function<bool(std::string_view)>& line, const std::function<bool()>& ended);

  int wake_[2] = {-1, -1};
  std::thread thread_;
};

}  // namespace hawser::app
