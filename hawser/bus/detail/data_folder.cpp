// Folders with mkdir, the lock with flock: the kernel lets go of it however the program ends.
#include <hawser/bus/detail/data_folder.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace hawser::bus::detail {
namespace {

constexpr std::string_view lock_name = "lock";

/// So that the folder itself outlives a loss of power, as what will be written into it does.
void sync_parent_of(const std::string& folder) {
  const std::size_t slash = folder.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : folder.substr(0, slash + 1);
  const int descriptor = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

Result<void> make_folders(const std::string& path) {
  for (std::size_t end = 1; end != std::string::npos;) {
    end = path.find('/', end);
    const std::string folder = path.substr(0, end);
    if (end != std::string::npos) ++end;
    if (::mkdir(folder.c_str(), 0700) == 0) {
      sync_parent_of(folder);
      continue;
    }
    if (errno == EEXIST) continue;
    struct stat there{};
    // Above ours there may be folders that are not ours to write, which does not matter.
    const int code = errno;
    if (::stat(folder.c_str(), &there) == 0 && S_ISDIR(there.st_mode)) continue;
    return std::unexpected(system_error(code, "store", "cannot make the folder " + folder));
  }
  return {};
}

/// The number that the program which has the lock wrote into it.
std::string owner_of(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  std::string owner(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!owner.empty() && owner.back() == '\n') owner.pop_back();
  return owner.empty() ? "another program" : "process " + owner;
}

}  // namespace

Result<std::string> state_folder(const char* xdg_state_home, const char* home) {
  // The specification says to pass over what is no absolute path.
  if (xdg_state_home != nullptr && xdg_state_home[0] == '/')
    return std::string(xdg_state_home) + "/hawser";
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/state/hawser";
  return std::unexpected(
      Error{ErrorKind::not_found, 0, "store",
            "neither XDG_STATE_HOME nor HOME names a folder for the data; name one"});
}

DataFolder::DataFolder(std::string path, int lock) noexcept : path_(std::move(path)), lock_(lock) {}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataFolder& DataFolder::operator=(DataFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

Result<DataFolder> DataFolder::open(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty())
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "store", "the data folder has no name"});
  if (auto made = make_folders(path); !made) return std::unexpected(std::move(made.error()));
  const std::string file = fmt::format("{}/{}", path, lock_name);
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0)
    return std::unexpected(system_error(errno, "store", "cannot write in the folder " + path));
  DataFolder folder(std::move(path), lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return std::unexpected(system_error(errno, "store", "cannot lock " + file));
    return std::unexpected(
        Error{ErrorKind::already_exists, 0, "store",
              fmt::format("the data folder {} is in use by {}", folder.path_, owner_of(lock))});
  }
  // For whoever looks who has it; that it cannot be written will show soon enough.
  const std::string owner = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(lock, owner.data(), owner.size(), 0);
  }
  return folder;
}

Result<std::string> DataFolder::file(std::string_view name) const {
  std::string file = fmt::format("{}/{}", path_, name);
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return std::unexpected(system_error(errno, "store", "cannot open " + file));
  ::close(descriptor);
  return file;
}

}  // namespace hawser::bus::detail
