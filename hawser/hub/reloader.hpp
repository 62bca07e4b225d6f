// The process that reads users, rules and certificates again when it is told to (SIGHUP). Internal
// to the hub.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/hub/access_list.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/pid.hpp>
#include <hawser/process/system.hpp>

#include <memory>
#include <optional>
#include <string>

namespace hawser::hub {

struct ReloadPlan {
  std::string users{};                   ///< the file; "" for none
  std::shared_ptr<AccessList> access{};  ///< shared for real: with all sessions
  std::optional<TlsServerContext> tls{};
};

class Reloader {
 public:
  explicit Reloader(ReloadPlan plan) : plan_(std::move(plan)) {}
  void init();
  void handle_info(Info& info);

 private:
  /// What is wrong with the files, line by line; "" when all was read. In the order of the reloads.
  struct Done {
    std::string faults;
  };
  void reload();

  ReloadPlan plan_;
  bool reading_ = false;
  bool again_ = false;
};

/// Starts one as a child of the root supervisor.
Result<Pid> start_reloader(System& system, ReloadPlan plan);

}  // namespace hawser::hub
