// One observer's conversation: requests and answers in JSON, and what it asked to be told as it
// happens. Internal to the observer; a connection's handler, on its thread.
#pragma once

#include <hawser/hub/detail/busiest.hpp>
#include <hawser/hub/detail/observer_json.hpp>
#include <hawser/hub/observer.hpp>
#include <hawser/net/connection_handler.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/telemetry.hpp>
#include <hawser/process/trace.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace hawser::hub::detail {

/// Bytes of a request.
inline constexpr std::size_t request_limit = std::size_t{64} << 10;

struct ObserverState {
  ObserverState(ObserverOptions chosen, Instant now) : options(std::move(chosen)), started(now) {}
  ObserverOptions options;
  Instant started;
};

class ObserverSession {
 public:
  explicit ObserverSession(std::shared_ptr<const ObserverState> state) : state_(std::move(state)) {}
  ObserverSession(const ObserverSession&) = delete;
  ObserverSession& operator=(const ObserverSession&) = delete;

  Next init();
  Task<> handle_packet(Bytes packet);
  void handle_info(Info& info);
  std::string describe() const;

 private:
  /// An event of telemetry on its way here, from any thread.
  struct Told {
    std::string line;
  };

  Task<Result<std::shared_ptr<Json>>> answer(const Json& request);
  Task<Result<std::shared_ptr<Json>>> trace(const Json& request);
  Result<std::shared_ptr<Json>> events(const Json& request);
  std::shared_ptr<Json> program() const;
  /// Unless the observer reads too slowly.
  void tell(const std::string& line);

  std::shared_ptr<const ObserverState> state_;
  Busiest busiest_;
  Telemetry::Subscription events_;
  std::set<Pid> traced_;
  Pid tracer_;  // ends what was traced when this session ends
  std::uint32_t under_way_ = 0;
  std::uint64_t untold_ = 0;
};

}  // namespace hawser::hub::detail
