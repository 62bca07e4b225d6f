// The other side of a test's connections without any framework: a socket and what came out of it,
// and a listener that makes one for each client. Internal to the tests of this layer and those
// above; on the thread of their engine, or of the whole simulated world.
#pragma once

#include <hawser/engine/engine.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hawser::testing {

/// One stream. Keeps what it receives, unless a subclass has use for it.
class BareStream : public StreamEvents {
 public:
  explicit BareStream(Engine& engine) : engine_(engine) {}
  BareStream(const BareStream&) = delete;
  BareStream& operator=(const BareStream&) = delete;
  virtual ~BareStream() { close(); }

  /// After the close, too: then nothing happens.
  void send(BytesView bytes) {
    if (SendQueue* queue = engine_.outgoing(id_)) queue->append(bytes);
    engine_.wake();
  }
  /// Half-closes: the other side may go on.
  void end() {
    engine_.shutdown_sending(id_);
    engine_.wake();
  }
  void close(CloseMode mode = CloseMode::immediate) {
    if (id_) engine_.close(std::exchange(id_, {}), mode, Instant::never());
    engine_.wake();
  }
  void read(bool on) {
    on ? engine_.resume_receiving(id_) : engine_.pause_receiving(id_);
    engine_.wake();
  }
  /// The other side is over, in one way or the other.
  bool over() const noexcept { return ended || failed; }
  /// Closed by us.
  bool closed() const noexcept { return !id_; }
  bool open() const noexcept { return !closed() && !over(); }

  std::string received;
  bool ended = false;
  bool failed = false;

  /// Takes an accepted socket. Answers whether the engine did.
  bool adopt(NativeSocket socket) {
    auto id = engine_.adopt(std::move(socket), *this);
    if (id) id_ = *id;
    return id.has_value();
  }

 protected:
  void connect(const Address& to) {
    auto id = engine_.connect(to, {}, *this);
    if (!id) throw std::runtime_error(id.error().text());
    id_ = *id;
    engine_.wake();
  }
  void on_received(BytesView bytes) override { received += bytes; }
  void on_end_of_stream() override { ended = true; }
  void on_failed(const Error&) override { failed = true; }

 private:
  Engine& engine_;
  SocketId id_;
};

/// Listens, accepts, and keeps every stream it ever had.
template <class Stream = BareStream>
class BareListener : public AcceptEvents {
 public:
  using Make = std::function<std::unique_ptr<Stream>(Engine&)>;

  BareListener(
      Engine& engine, Address address,
      Make make = [](Engine& in) { return std::make_unique<Stream>(in); })
      : engine_(engine), address_(std::move(address)), make_(std::move(make)) {
    open();
  }
  BareListener(const BareListener&) = delete;
  BareListener& operator=(const BareListener&) = delete;
  virtual ~BareListener() { shut(); }

  /// Port 0 is asked for once: it comes back where it was.
  void open() {
    auto listening = engine_.listen(address_, {}, *this);
    if (!listening) throw std::runtime_error(listening.error().text());
    id_ = listening->id;
    address_ = listening->bound;
    engine_.wake();
  }
  /// Nobody is accepted any more; streams stay.
  void shut() {
    if (id_) engine_.close_now(std::exchange(id_, {}));
    engine_.wake();
  }
  void close_all() {
    for (auto& link : links) link->close();
  }
  const Address& address() const noexcept { return address_; }
  std::size_t open_now() const {
    return static_cast<std::size_t>(
        std::count_if(links.begin(), links.end(), [](const auto& link) { return link->open(); }));
  }
  Stream& last() { return *links.back(); }

  std::vector<std::unique_ptr<Stream>> links;
  bool reads = true;  ///< those that come from now on do from the start

 private:
  void on_accepted(NativeSocket socket) override {
    auto link = make_(engine_);
    if (!link->adopt(std::move(socket))) return;
    if (reads) link->read(true);
    links.push_back(std::move(link));
  }
  void on_accept_failed(const Error&, bool) override {}

  Engine& engine_;
  Address address_;
  Make make_;
  SocketId id_;
};

}  // namespace hawser::testing
