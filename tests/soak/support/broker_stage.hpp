// The stage of the broker's days: a hub of the simulator that may begin anew, the STOMP clients at
// it, the model beside it, and the looks at both after each step. Internal to tests.
#pragma once

#include "broker_model.hpp"
#include "sim_stomp_client.hpp"
#include "soak_world.hpp"

#include <hawser/bus/testing/simulated_store.hpp>
#include <hawser/engine/sim/world.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hawser::soak {

/// A client and what is known of it.
struct StageSession {
  std::uint64_t number = 0;
  stomp::Version version = stomp::Version::v1_2;
  std::unique_ptr<SimStompClient> client;
  std::map<std::string, std::uint64_t> subscriptions;                   // id to number
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> acks;  // number, message: its id
  std::set<std::string> owed;
  std::set<std::string> waits;
  bool refused = false;
  std::vector<std::uint64_t> browsed;
  bool browse_ended = false;
};

class BrokerStage {
 public:
  explicit BrokerStage(sim::World& world);
  BrokerStage(const BrokerStage&) = delete;
  BrokerStage& operator=(const BrokerStage&) = delete;

  BrokerModel model;

 protected:
  using Overflow = ModelRules::Overflow;
  using Session = StageSession;

  // A step's actions happen at its beginning; what falls due does so in its second half, and no two
  // things in the same one: then their order is no matter of luck.
  static constexpr std::int64_t step_ms = 100;
  static constexpr std::int64_t due_ms = 60;

  ~BrokerStage() { end(); }

  // ---- the program
  // -----------------------------------------------------------------------------------

  void begin();
  void end();
  /// The host fails: what was not on disk is gone, and so is every client.
  void fall();

  // ---- clients
  // ---------------------------------------------------------------------------------------

  void connect();
  void settle_logins(Session& session);
  Session* some_session();
  /// It was refused, so its session is over.
  void expect_refusal(Session& session);
  void lose(Session& session);
  void answered(Session& session, BrokerModel::Answer answer, const std::string& receipt);

  /// It will be made anew, and count from 1.
  void forget_positions(const std::string& place);

  // ---- frames
  // ----------------------------------------------------------------------------------------

  ModelMessage draw(bool plain = false);
  void send_frame(Session& session, const std::string& destination, const ModelMessage& message,
                  const std::string& receipt, const std::string& more = {},
                  const std::string& value = {});
  void send_browser(Session& session, const std::string& queue, int above);
  std::string receipt() { return "r" + std::to_string(++last_receipt_); }

  // ---- steps
  // -----------------------------------------------------------------------------------------

  /// What follows from a step, in its two halves.
  void settle();
  /// Some steps take a little time of their own: the clock is the world's.
  void run_to(std::int64_t at);
  /// Free, and taken from now on: something falls due then and nothing else will.
  bool take_due(std::int64_t after) { return taken_.insert((model.now + after) / step_ms).second; }

  sim::World& world_;
  Random& random_;
  Instant epoch_;  // when the model's clock was 0
  std::shared_ptr<bus::testing::SimulatedStore> store_ =
      std::make_shared<bus::testing::SimulatedStore>();
  bool storing_ = false;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::string> answers_;  // where some are awaited
  std::string last_;                  // what the step did

 private:
  void message(Session& session, const stomp::FrameView& frame);
  void note_position(const std::string& place, std::uint64_t message, BytesView position);
  void look();

  std::optional<SoakWorld> hub_;
  Address at_;
  int life_ = 0;
  std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> positions_;  // by place, message
  std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> placed_;     // and the other way
  std::set<std::int64_t> taken_;
  std::uint64_t last_session_ = 0;
  std::uint64_t last_message_ = 0;
  std::uint64_t last_receipt_ = 0;
};

}  // namespace hawser::soak
