// A handler's shared object as a file: which one it is, and what its bytes say before anything of
// it runs. Internal to hawser/net/module; read_module_file and identify_file wait for the disk: on
// the blocking pool only.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/net/module/stamp.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hawser {

/// Changes when the file is replaced or written to.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t changed = 0;  ///< nanoseconds of its time of modification
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct ModuleFile {
  FileIdentity identity;
  Bytes bytes;
  ModuleStamp stamp;
  std::string_view handler() const noexcept { return stamp.handler.data(); }
};

/// Errors: not_found and whatever else the system says.
Result<FileIdentity> identify_file(const std::string& path);

/// The whole file, checked by check_module. Errors name the path: not_found, overloaded (longer
/// than `size_limit` bytes), failed (it changed while it was read), those of check_module.
Result<ModuleFile> read_module_file(const std::string& path, std::size_t size_limit);

/// Finds the stamp in a shared object's bytes and compares it with this program. Pure; whatever the
/// bytes are. Errors: invalid_argument (no shared object for this machine, no handler in it, built
/// so that it cannot be unloaded), unsupported (for another hawser, compiler or standard library:
/// the text has both).
Result<ModuleStamp> check_module(BytesView file);

}  // namespace hawser
