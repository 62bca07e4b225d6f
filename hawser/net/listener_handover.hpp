// Gives a program's listening sockets to its successor, without one refused connection: the old
// program's side of TakeOver (hawser/engine/take_over.hpp has the protocol). Public: a supervised
// process; on real engines only, the simulator passes no sockets.
//
// The path's file is open to its user alone (0600), and whoever comes is asked for by the kernel's
// word (SO_PEERCRED). One successor at a time. Both programs accept until the successor says that
// it does; then ours let go of the sockets, with nobody who was accepted lost, and the path is
// free.
#pragma once

#include <hawser/engine/engine.hpp>
#include <hawser/net/socket_exchange.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/info.hpp>
#include <hawser/process/next.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

struct HandoverOptions {
  /// Of the Unix socket that is served. A file that a dead program left is replaced.
  std::string path{};
  /// What the servers' options name, too.
  std::shared_ptr<SocketExchange> sockets{};
  /// How long a successor may take from its request until it accepts. Then it is given up, and all
  /// goes on as if it had not come.
  Duration confirm_limit = 60s;
  /// Called once, in this process, when our servers have stopped accepting: drain now. By default
  /// System::request_stop().
  std::function<void()> on_taken_over{};

  /// "field: what is wrong" for each setting that cannot be used.
  std::vector<std::string> faults() const;
};

/// The spec of a process that serves the path until a successor has taken over; then it ends
/// (normal). Starting it fails with invalid_argument, with already_exists when a living program
/// serves the path, or with what the kernel says.
ChildSpec listener_handover(std::string name, HandoverOptions options);

/// What listener_handover() starts.
class ListenerHandover final : private AcceptEvents, private StreamEvents {
 public:
  explicit ListenerHandover(HandoverOptions options) noexcept;
  ListenerHandover(const ListenerHandover&) = delete;
  ListenerHandover& operator=(const ListenerHandover&) = delete;
  ~ListenerHandover();

  Next init();
  void handle_info(Info& info);
  std::string describe() const;

 private:
  enum class Step : std::uint8_t { idle, asked, gathering, offered, letting_go };
  struct Shared {
    std::uint64_t round = 0;
    std::size_t place = 0;
    Result<NativeSocket> socket;
  };
  struct LetGo {};
  struct TooLate {
    std::uint64_t round = 0;
  };

  void on_accepted(NativeSocket socket) override;
  void on_accept_failed(const Error& error, bool paused) override;
  void on_received(BytesView bytes) override;
  void on_end_of_stream() override;
  void on_failed(const Error& error) override;

  void turn_away(SocketId id, const std::string& why);
  void take_line(std::string_view line);
  void gather();
  void hand_out();
  void let_go();
  void finish();
  void give_up(std::string_view why);

  HandoverOptions options_;
  Process* process_ = nullptr;
  SocketId listener_;
  SocketId successor_;
  std::string successor_name_;
  std::string unread_;
  Step step_ = Step::idle;
  std::uint64_t round_ = 0;  // answers to an earlier successor's request are dropped
  std::vector<SocketExchange::Offer> offers_;
  std::vector<NativeSocket> shared_;
  std::size_t waiting_for_ = 0;
};

}  // namespace hawser
