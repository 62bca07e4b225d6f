// The engine of a simulated host: the shared core over the simulated kernel. Internal; one thread,
// but for wake().
//
// Operations behave as io_uring's do: they are begun, wait in the kernel, and complete through a
// list that poll() works off. A completion says "there is something"; what it finds when it runs is
// what counts, so that a reset or a cancel may come between.
#pragma once

#include <hawser/engine/detail/engine_core.hpp>
#include <hawser/engine/sim/detail/host_state.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace hawser::sim::detail {

class Universe;

class SimEngine final : public hawser::detail::EngineCore, public Watcher {
 public:
  /// The most that one receive delivers: a usual size of a provided buffer.
  static constexpr std::size_t receive_bytes = 16'384;

  SimEngine(Universe& universe, HostIndex host, std::uint64_t seed);
  ~SimEngine() override;

  EngineInfo info() const override;
  std::uint64_t secret_bits() override { return random().next(); }
  Instant read_clock() noexcept override;
  std::chrono::system_clock::time_point wall_clock() noexcept override;
  void start() override;
  void wake() noexcept override { woken_.store(true, std::memory_order_release); }
  void resolve(std::string host, std::uint16_t port, ResolveDone done) override;
  void run_blocking(std::move_only_function<void()> work,
                    std::move_only_function<void()> done) override;
  void close_native(int number) noexcept override;

  // ---- for the universe ------------------------------------------------------------------------
  HostIndex host() const noexcept { return host_; }
  bool runnable(Instant now) const noexcept {
    return !due_.empty() || woken_.load(std::memory_order_acquire) || wanted_at_ <= now;
  }
  /// When the loop's last poll wanted to return at the latest.
  Instant wanted_at() const noexcept { return wanted_at_; }
  void want_turn() noexcept { wanted_at_ = Instant{Duration::min()}; }
  void begin_turn() noexcept;
  /// An event of this engine has come.
  void fall_due(std::uint64_t what);
  /// The host crashed: the kernel has forgotten everything, and nothing is ever told again.
  void die() noexcept;
  void ready(SocketId id, Readiness what) override;

 protected:
  Result<OpenedSocket> open_listener(const Address& address, const ListenOptions& options) override;
  Result<int> open_stream(const Address& to, const StreamOptions& options,
                          const std::optional<Address>& from) override;
  Result<OpenedSocket> open_datagram_socket(const Address& bind,
                                            const DatagramOptions& options) override;
  Result<void> attach(hawser::detail::Socket& socket) override;
  void detach(hawser::detail::Socket& socket) noexcept override;
  void begin_connect(hawser::detail::Socket& socket, const Address& to) override;
  void begin_accept(hawser::detail::Socket& socket) override;
  void begin_receive(hawser::detail::Socket& socket) override;
  void begin_receive_datagrams(hawser::detail::Socket& socket) override;
  void begin_send(hawser::detail::Socket& socket, SendQueue& queue) override;
  hawser::detail::Operations cancel(hawser::detail::Socket& socket,
                                    hawser::detail::Operations operations) override;
  void stop_listening(hawser::detail::Socket& socket) noexcept override;
  int shutdown_write(hawser::detail::Socket& socket) noexcept override;
  void close_socket(hawser::detail::Socket& socket, bool reset) noexcept override;
  void configure_accepted(int number, const StreamOptions& options) noexcept override;
  NativeSocket::Closer& family_closer() noexcept override;
  Result<void> join_datagram_group(hawser::detail::Socket& socket, const Address& group,
                                   std::uint32_t interface_index) override;
  Result<int> open_interface_watch() override;
  Result<std::vector<NetworkInterface>> interfaces() override;
  Result<void> transmit_datagram(hawser::detail::Socket& socket, const Address& to, BytesView bytes,
                                 std::uint32_t interface_index) override;
  Result<Address> native_peer(int number) const override;
  Result<Address> native_local(int number) const override;
  Result<void> native_change(int number, const StreamChanges& changes) override;
  Result<Duration> native_silence(int number) const override;
  Result<PeerCredentials> native_credentials(int number) const override;
  Result<Address> prepare_listener(int number, const ListenOptions& options) override;
  void wait_and_collect(Instant until) override;
  void dispatch_completions() override;

 private:
  struct Job {
    std::move_only_function<void()> work;
    std::move_only_function<void()> done;
  };
  struct Due {
    SocketId id;
    hawser::detail::Operations operation = 0;
  };

  void begin(hawser::detail::Socket& socket, hawser::detail::Operations operation, bool ready_now);
  void schedule(hawser::detail::Socket& socket, hawser::detail::Operations operation);
  void complete(SocketId id, hawser::detail::Operations operation);
  void complete_receive(hawser::detail::Socket& socket, bool last_chance);
  void complete_datagram(hawser::detail::Socket& socket, bool last_chance);
  void complete_accept(hawser::detail::Socket& socket, bool last_chance);
  void complete_send(hawser::detail::Socket& socket, bool last_chance);
  void complete_connect(hawser::detail::Socket& socket, bool last_chance);
  std::uint32_t add_job(Job job);

  Universe& universe_;
  HostIndex host_;
  std::uint32_t id_;
  bool dead_ = false;
  std::atomic<bool> woken_{false};
  Instant wanted_at_ = Instant::never();
  std::vector<Due> due_;
  std::vector<Due> working_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<std::uint32_t> vacant_jobs_;
  std::vector<std::uint32_t> finished_jobs_;
  std::vector<std::uint32_t> running_jobs_;
  std::vector<char> buffer_;
};

}  // namespace hawser::sim::detail
