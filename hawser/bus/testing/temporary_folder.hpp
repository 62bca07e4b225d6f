// A folder of its own for a test, gone with it. For tests only.
#pragma once

#include <hawser/base/check.hpp>

#include <stdlib.h>
#include <unistd.h>
#include <filesystem>
#include <string>
#include <system_error>

namespace hawser::bus::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    // In memory where there is such a place: what a test proves, a killed program included, is the
    // same there, and no disk has to be waited for.
    std::string name = ::access("/dev/shm", W_OK) == 0
                           ? "/dev/shm"
                           : std::filesystem::temp_directory_path().string();
    name += "/hawser-test-XXXXXX";
    check(::mkdtemp(name.data()) != nullptr, "a temporary folder can be made");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const noexcept { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace hawser::bus::testing
