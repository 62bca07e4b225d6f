// The folder that a hub keeps its data in: where it is, that it is ours alone, and that no second
// program writes there. Internal.
#pragma once

#include <hawser/base/result.hpp>

#include <string>
#include <string_view>

namespace hawser::bus::detail {

/// "hawser" in XDG_STATE_HOME, else in ~/.local/state; both as the environment has them, nullptr
/// for not set. Error: not_found when neither names a folder.
Result<std::string> state_folder(const char* xdg_state_home, const char* home);

/// A folder and the lock on it, held as long as this object and the process live.
class DataFolder {
 public:
  /// Makes the folder, and those above it, for this user alone (0700); one that exists is left as
  /// it is. Errors: refused, already_exists (which program has it), …
  static Result<DataFolder> open(std::string path);

  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&& other) noexcept;
  ~DataFolder();

  /// A file in it, empty if it is new, for this user alone (0600).
  Result<std::string> file(std::string_view name) const;
  const std::string& path() const noexcept { return path_; }

 private:
  DataFolder(std::string path, int lock) noexcept;
  std::string path_;
  int lock_ = -1;
};

}  // namespace hawser::bus::detail
