// A transport of one's own: every byte is exclusive-ored with a key that the client names in its
// first byte. No secret, but where TLS and WebSocket stand, too.
#include <hawser/hawser.hpp>

#include <sys/uio.h>

#include <array>
#include <string>
using namespace hawser;

class Masked final : public Transport {
 public:
  void start(Link& link) override { link_ = &link; }
  void received(BytesView bytes) override {
    if (key_ == 0) {
      if (bytes.front() == 0) return link_->fail(Reason::protocol_error("0 is no key"));
      key_ = bytes.front();
      bytes.remove_prefix(1);
      link_->ready();
    }
    kept_ += masked(bytes);
    resume();
  }
  void resume() override {
    if (!kept_.empty() && !link_->holding()) link_->deliver(std::exchange(kept_, {}));
  }
  void received_end() override { link_->deliver_end(); }
  void send(SendQueue& plain) override {
    std::array<iovec, 16> pieces{};
    while (!plain.empty()) {
      const std::size_t count = plain.gather(pieces);
      for (std::size_t i = 0; i < count; ++i) {
        const BytesView piece(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
        if (SendQueue* below = link_->below()) below->append(masked(piece));
        plain.consume(piece.size());
      }
    }
    link_->flush();
  }
  void finish(const Reason&) override {}
  std::size_t kept() const noexcept override { return kept_.size(); }
  std::string describe() const override { return "masked"; }

 private:
  std::string masked(BytesView bytes) const {
    std::string out(bytes);
    for (char& each : out) each = static_cast<char>(each ^ key_);
    return out;
  }
  Link* link_ = nullptr;
  char key_ = 0;
  std::string kept_;
};

struct Echo {
  Next handle_packet(Packet packet) { return send(packet); }
};

int main() {
  System system;
  system.start(server<Echo>("echo", {.listen = "127.0.0.1:7104",
                                     .framing = line(),
                                     .transports = {[] { return std::make_unique<Masked>(); }}}));
  return system.run();
}
