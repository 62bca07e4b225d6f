// The process that has files read again when the program is told to: on SIGHUP
// (SystemOptions::reload_on_hangup) and System::request_reload. Public; its parts are called on the
// blocking pool.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/info.hpp>

#include <functional>
#include <string>
#include <vector>

namespace hawser {

/// Something that was made of files.
struct ReloadPart {
  std::string what;  ///< for the log, in the plural: "certificates"
  /// Reads the files again; may wait for the disk. After an error everything is as it was, and its
  /// text names the file and what is wrong with it. One call at a time.
  std::function<Result<void>()> read;
};

class Reloader {
 public:
  explicit Reloader(std::vector<ReloadPart> parts) : parts_(std::move(parts)) {}
  void init();
  void handle_info(Info& info);
  std::string describe() const;

 private:
  /// What came of it.
  struct Done {
    std::string read;    // the parts
    std::string faults;  // each with its part
  };
  void reload();

  std::vector<ReloadPart> parts_;
  bool reading_ = false;
  bool again_ = false;
};

/// The child spec of one, called "NAME/reloader". Its log lines come from `name`: one, at info,
/// says what was read; one, at error, what stays as it was and why. A request that comes while it
/// reads is carried out after that.
ChildSpec reloader(const std::string& name, std::vector<ReloadPart> parts);

}  // namespace hawser
