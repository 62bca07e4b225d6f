// A hawser client in a System of its own; the thread that asks waits for the answer.
#include "observe_link.hpp"

#include <hawser/net/client.hpp>
#include <hawser/process/system.hpp>

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

namespace hawser::app {
namespace {

/// Events that are kept until somebody takes them.
constexpr std::size_t events_max = 5000;

/// What the client's thread and the asking one share.
struct Shared {
  std::mutex mutex;
  bool connected = false;
  std::uint64_t connection = 0;
  std::string trouble = "not connected yet";
  std::deque<Json> events;
  std::uint64_t lost = 0;
  Gate first;  // the first attempt is over
};

struct Question {
  explicit Question(Json asked) : request(std::move(asked)) {}
  Json request;
  using Reply = Json;
};

class LinkClient {
 public:
  explicit LinkClient(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  void handle_state(const ClientChange& change) {
    if (change.state == ClientState::connecting) return;
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->connected = change.state == ClientState::connected;
      if (shared_->connected) {
        ++shared_->connection;
      } else {
        shared_->trouble = change.reason.text();
      }
    }
    shared_->first.open();
  }

  void handle_call(Question question, From<Json> from) {
    if (client().state() != ClientState::connected) {
      from.fail({ErrorKind::closed, 0, "observe", "there is no connection"});
      return;
    }
    question.request["id"] = ++last_;
    const std::string text = question.request.dump();
    if (const auto sent = connection().send_packet(BytesView(text)); !sent) {
      from.fail(sent.error());
      return;
    }
    asked_.emplace(last_, std::move(from));
  }

  void handle_packet(Packet packet) {
    Json json = Json::parse(packet.begin(), packet.end(), nullptr, false);
    if (!json.is_object()) return;
    if (json.contains("event")) {
      const std::lock_guard lock(shared_->mutex);
      if (shared_->events.size() == events_max) {
        shared_->events.pop_front();
        ++shared_->lost;
      }
      shared_->events.push_back(std::move(json));
      return;
    }
    const auto found = asked_.find(json.value("id", std::uint64_t{0}));
    if (found == asked_.end()) return;
    if (json.contains("ok")) {
      found->second.reply(std::move(json["ok"]));
    } else {
      found->second.fail({ErrorKind::failed, 0, {}, json.value("error", std::string("no answer"))});
    }
    asked_.erase(found);
  }

  void handle_disconnect(const Reason& reason) {
    for (auto& [id, from] : asked_)
      from.fail({ErrorKind::closed, 0, "observe", "the program has gone: " + reason.text()});
    asked_.clear();
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::map<std::uint64_t, From<Json>> asked_;
  std::uint64_t last_ = 0;
};

SystemOptions quiet() {
  SystemOptions options;
  options.schedulers = 1;
  options.log_level = LogLevel::off;
  options.handle_signals = false;
  options.log_failed_starts = false;
  options.drain_limit = 1s;
  return options;
}

}  // namespace

struct ObserveLink::Impl {
  explicit Impl(std::string to) : address(std::move(to)), system(quiet()) {}
  std::string address;
  std::shared_ptr<Shared> shared = std::make_shared<Shared>();
  System system;  // ends before what its client uses
};

ObserveLink::ObserveLink(std::string address) : impl_(std::make_unique<Impl>(std::move(address))) {}
ObserveLink::~ObserveLink() = default;

Result<void> ObserveLink::connect() {
  ClientOptions options;
  options.targets = TargetList(impl_->address);
  options.framing = length_prefixed(4);
  options.backoff.base = 200ms;
  options.backoff.cap = 2s;
  auto started = impl_->system.start(client<LinkClient>("link", options, impl_->shared));
  if (!started) return std::unexpected(std::move(started.error()));
  if (!impl_->system.environment().wait(impl_->shared->first, 10s))
    return std::unexpected(Error{ErrorKind::timeout, 0, "observe", "no connection within 10 s"});
  if (connected()) return {};
  return std::unexpected(Error{ErrorKind::closed, 0, "observe", trouble()});
}

bool ObserveLink::connected() const {
  const std::lock_guard lock(impl_->shared->mutex);
  return impl_->shared->connected;
}

std::uint64_t ObserveLink::connection() const {
  const std::lock_guard lock(impl_->shared->mutex);
  return impl_->shared->connection;
}

std::string ObserveLink::trouble() const {
  const std::lock_guard lock(impl_->shared->mutex);
  return impl_->shared->trouble;
}

Result<Json> ObserveLink::ask(Json request, Duration limit) {
  const Ref<LinkClient> link(impl_->system.whereis("link"));
  return impl_->system.call(link, Question(std::move(request)), limit);
}

void ObserveLink::pause(Duration length) {
  Gate never;
  static_cast<void>(impl_->system.environment().wait(never, length));
}

std::vector<Json> ObserveLink::take_events() {
  const std::lock_guard lock(impl_->shared->mutex);
  std::vector<Json> events;
  if (const std::uint64_t lost = std::exchange(impl_->shared->lost, 0U); lost != 0)
    events.push_back({{"event", "lost"}, {"count", lost}});
  std::ranges::move(impl_->shared->events, std::back_inserter(events));
  impl_->shared->events.clear();
  return events;
}

}  // namespace hawser::app
