// One request, one response, one connection.
#include <hawser/noam/detail/peer_fetch.hpp>

#include <hawser/net/dial.hpp>
#include <hawser/net/http_reader.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/process/self.hpp>

#include <utility>

namespace hawser::noam::detail {

namespace {

/// The connection's handler: tells what it has read when it ends.
class Fetch {
 public:
  Fetch(Pid waiting, std::string room, std::string host, std::size_t bytes)
      : waiting_(waiting),
        room_(std::move(room)),
        host_(std::move(host)),
        reader_(HttpReader::Of::response, {.body = bytes}) {}

  Next init() { return send(http_request_text("GET", "/guests?types=[owned]", host_)); }
  Next handle_packet(Packet bytes) {
    return reader_.put(bytes) == HttpReader::State::need_more ? keep() : stop();
  }
  void handle_disconnect(const Reason&) { reader_.end(); }
  void terminate(const Reason&) { send_info(waiting_, PeerGuests{room_, guests()}); }

 private:
  /// Another host's words are checked as everybody's.
  std::optional<std::string> guests() const {
    if (reader_.state() != HttpReader::State::done || reader_.status() != 200) return std::nullopt;
    if (!check_json(reader_.body())) return std::nullopt;
    const auto owned = json_member(reader_.body(), "guests-owned");
    if (!owned || !owned->starts_with('{')) return std::nullopt;
    return std::string(*owned);
  }

  Pid waiting_;
  std::string room_;
  std::string host_;
  HttpReader reader_;
};

/// Waits beside the connection, so that every end of it is told: also one before it stood.
class Fetching {
 public:
  Fetching(std::shared_ptr<ConnectionGroup> group, PeerFetch fetch)
      : group_(std::move(group)), fetch_(std::move(fetch)) {}

  Next init() {
    self().trap_exit();
    self().start_timer("too long", fetch_.timeout);
    DialOptions to;
    to.address = fetch_.http;
    const Pid here = self().pid();
    auto dialed = dial<Fetch>(group_, std::move(to), {.parent = here},
                              [here, room = fetch_.room, host = fetch_.http.text(),
                               bytes = fetch_.bytes] { return Fetch(here, room, host, bytes); });
    if (!dialed) return stop(Reason::failed(dialed.error().text()));
    connection_ = *dialed;
    return keep();
  }
  // Also of one that sends a byte now and then. Its end is ours.
  void handle_timer(std::string_view) { self().exit(connection_, Reason::shutdown()); }
  Next handle_info(Info& info) {
    if (auto* guests = info.get<PeerGuests>()) {
      json_ = std::move(guests->json);
    } else if (info.get<Exit>() != nullptr) {
      return stop();
    }
    return keep();
  }
  void terminate(const Reason&) {
    send_info(fetch_.asker, PeerGuests{fetch_.room, std::move(json_)});
  }

 private:
  std::shared_ptr<ConnectionGroup> group_;  // shared with what it dials
  PeerFetch fetch_;
  Pid connection_;
  std::optional<std::string> json_;
};

}  // namespace

bool start_peer_fetch(const std::shared_ptr<ConnectionGroup>& group, const PeerFetch& fetch) {
  return spawn<Fetching>(group->scheduler(), SpawnOptions{.parent = fetch.asker}, group, fetch)
      .has_value();
}

}  // namespace hawser::noam::detail
