// The simulated kernel's TCP (and Unix streams): handshake, segments, windows, FIN and RST as Linux
// has them. Internal; one thread. All calls answer at once, like non-blocking system calls; what
// they cause happens later through events.
#pragma once

#include <hawser/engine/sim/detail/byte_buffer.hpp>
#include <hawser/engine/sim/detail/ground.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

struct iovec;

namespace hawser::sim::detail {

struct Segment {
  enum class Kind : std::uint8_t { data, handshake, fin, reset };
  Instant arrives;
  std::uint32_t bytes = 0;
  Kind kind = Kind::data;
  bool judged = false;  // faults strike a segment once
};

enum class StreamState : std::uint8_t {
  vacant,
  connecting,   // our SYN is out
  half_open,    // a listener's side before the last step of the handshake
  established,  // also with one or both directions ended
  failed,       // reset, refused or timed out: `error` says how
};

/// One end of a connection.
struct Stream {
  std::uint32_t index = 0;
  std::uint32_t generation = 1;
  StreamState state = StreamState::vacant;
  HostIndex host = 0;
  HostIndex peer_host = 0;
  StreamRef peer;
  int descriptor = -1;  // -1: not accepted yet, or nobody's any more
  int listener = -1;    // descriptor of the listener while waiting for accept
  int error = 0;
  Address local;
  Address remote;
  PeerCredentials own_credentials;     // of the program that connected
  PeerCredentials remote_credentials;  // Unix: of the program at the other end

  // Our direction: `out` holds first what is in flight (described by `wire`), then what waits.
  ByteBuffer out;
  std::vector<Segment> wire;
  std::size_t wire_head = 0;
  std::size_t in_flight = 0;
  std::size_t send_capacity = 0;
  Instant last_arrival;  // nothing overtakes
  Instant stalled_until;
  Instant held_since;
  std::uint32_t hold = 0;  // number of the hold, for its give_up event
  std::uint32_t wait = 0;  // number of the closed window, for its no_room event

  // Whether the peer is still there.
  StreamOptions options;
  Instant last_heard;        // something came from the peer, be it an acknowledgement
  std::uint32_t asking = 0;  // number of the keep-alive's timer
  unsigned unanswered = 0;   // questions since last_heard

  // The other direction.
  ByteBuffer in;
  std::size_t receive_capacity = 0;
  std::size_t low_water = 1;  // fewer bytes wake nobody
  Instant last_data;          // bytes came, or it was connected

  std::uint8_t attempts = 0;  // SYNs sent
  bool arrival_scheduled = false;
  bool held = false;           // the front segment cannot get through
  bool window_closed = false;  // the peer has no room
  bool fin_wanted = false;
  bool fin_sent = false;
  bool fin_delivered = false;
  bool fin_received = false;
  bool sending_broken = false;  // a half-close fault: later writes fail
  bool orphan = false;          // closed by its program
  bool ephemeral_port = false;
  bool black_holed = false;
  bool is_unix = false;
  bool reset_sent = false;

  bool wire_empty() const noexcept { return wire_head == wire.size(); }
  std::size_t unsent() const noexcept { return out.size() - in_flight; }
  StreamRef ref() const noexcept { return {index, generation}; }
};

class Streams {
 public:
  /// Linux's usual sizes: what a socket buffer holds unless the options say otherwise.
  static constexpr std::size_t default_send_buffer = 212'992;
  static constexpr std::size_t default_receive_buffer = 131'072;
  /// tcp_syn_retries = 6: the first attempt and its six repetitions take so long.
  static constexpr Duration connect_timeout = 127s;
  /// About tcp_retries2 = 15: how long unacknowledged bytes are sent again and again.
  static constexpr Duration retransmission_limit = 924s;
  /// About tcp_orphan_retries and tcp_fin_timeout: how long a closed socket lives on.
  static constexpr Duration orphan_limit = 100s;

  explicit Streams(Ground& ground) : ground_(ground) {}

  // ---- calls; a negative int is an errno
  // ---------------------------------------------------------
  Result<int> listen(HostIndex host, const Address& address, const ListenOptions& options);
  /// Takes the listener's address away from it; the file of a Unix socket goes too, unless `leave`.
  void stop_listening(HostIndex host, int number, bool leave_file = false) noexcept;
  /// A socket that listens already gets a new owner and new options of accepted sockets.
  Result<Address> relisten(HostIndex host, int number, const ListenOptions& options);
  /// Makes a stream that is not connected.
  Result<int> open(HostIndex host, const Address& to, const StreamOptions& options,
                   const std::optional<Address>& from);
  /// 0: under way; the descriptor turns writable when it is decided.
  int connect(HostIndex host, int number, const Address& to);
  /// 0, -EINPROGRESS or the reason.
  int connect_result(HostIndex host, int number);
  int accept(HostIndex host, int listener);
  bool has_accepts(HostIndex host, int listener);

  struct Received {
    int result = 0;   // > 0 bytes are in `bytes`, 0 end of stream, negative errno
    BytesView bytes;  // stay in the buffer until consumed
  };
  Received receive(HostIndex host, int number);
  void consume(HostIndex host, int number, std::size_t count);
  /// Bytes taken, or a negative errno.
  int send(HostIndex host, int number, std::span<const iovec> vectors, std::size_t most);
  bool writable(HostIndex host, int number);
  int shutdown(HostIndex host, int number);
  void close(HostIndex host, int number, bool reset);
  void configure(HostIndex host, int number, const StreamOptions& options);
  Result<void> change(HostIndex host, int number, const StreamChanges& changes);
  Result<Duration> silence(HostIndex host, int number);
  Result<Address> local(HostIndex host, int number);
  Result<Address> peer(HostIndex host, int number);
  Result<PeerCredentials> credentials(HostIndex host, int number);

  // ---- for the world ---------------------------------------------------------------------------
  void handle(const Event& event);
  void crash(HostIndex host);
  /// Tries again what was held back, after a cut has healed or a host has come back.
  void kick_all();
  /// Connections between the two hosts are reset at both ends.
  void reset_between(HostIndex left, HostIndex right);
  /// What travels from `from` to `to` stands still until `until`.
  void stall_between(HostIndex from, HostIndex to, Instant until);
  std::size_t alive() const noexcept { return alive_; }

 private:
  Stream* find(StreamRef ref) noexcept;
  Stream* of(HostIndex host, int number) noexcept;
  Stream& make(HostIndex host);
  void free(Stream& stream) noexcept;
  int find_listener(HostIndex host, const Address& to, const Address& from);
  Result<std::uint16_t> choose_listening_port(HostState& host, const Address& address,
                                              const ListenOptions& options);
  Result<void> bind_unix(HostState& host, const std::string& path);
  Listener* listener_of(const Stream& stream) noexcept;
  void apply(Stream& stream, const StreamOptions& options);

  // handshake.cpp
  void send_syn(Stream& stream);
  void syn_arrives(Stream& stream);
  void syn_answered(Stream& stream, int error);
  void try_again_later(Stream& stream);
  void handshake_done(Stream& stream);

  void pump(Stream& stream);
  void push(Stream& stream, Segment::Kind kind, std::size_t bytes);
  void schedule_arrival(Stream& stream);
  void segment_arrives(Stream& stream);
  bool judge(Stream& stream);
  void deliver(Stream& stream, const Segment& segment);
  void hold(Stream& stream);
  void kick(Stream& stream);
  void window_opened(Stream& receiver);
  void tell_readable(const Stream& stream);
  /// A reset answers `stream`, from the other host.
  void answer_with_reset(Stream& stream);
  void fail(Stream& stream, int error);
  void abort(Stream& stream);
  void finish_if_done(Stream& stream);
  /// One of its ends was an interface that has been taken away.
  bool has_lost_its_address(const Stream& stream);
  void ask_later(Stream& stream, Duration wait);
  void probe(Stream& stream);
  void close_window(Stream& stream);

  Ground& ground_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<std::uint32_t> vacant_;
  std::size_t alive_ = 0;
};

}  // namespace hawser::sim::detail
