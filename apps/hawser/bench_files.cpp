// The program's own path, and files that reports go to.
#include "bench_files.hpp"

#include "common.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

namespace hawser::app {

std::string path_of_this_program() {
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  return {path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

bool write_file(std::string_view command, const std::string& path, const std::string& text) {
  if (path.empty()) return true;
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) print_failure(command, fmt::format("{} cannot be written", path));
  return static_cast<bool>(file);
}

}  // namespace hawser::app
