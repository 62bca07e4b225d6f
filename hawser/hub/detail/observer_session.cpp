// Reads requests, asks around and answers; each request is a task of its own, so that a slow one
// does not hold up the next.
#include <hawser/hub/detail/observer_session.hpp>

#include <hawser/engine/inherited_sockets.hpp>
#include <hawser/hub/detail/observer_json.hpp>
#include <hawser/hub/detail/observer_orders.hpp>
#include <hawser/hub/figures.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/sys.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace hawser::hub::detail {
namespace {

using Answer = Result<std::shared_ptr<Json>>;

constexpr std::uint32_t requests_at_once = 16;
/// Unsent bytes from which on events are dropped and counted.
constexpr std::size_t events_limit = std::size_t{256} << 10;
/// Processes that one session may have asked to be traced, ended ones included.
constexpr std::size_t traced_max = 1000;

std::unexpected<Error> wrong(std::string what) {
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "observe", std::move(what)});
}

std::shared_ptr<Json> made(Json json) { return std::make_shared<Json>(std::move(json)); }

std::string text_of(const Json& request, const char* key, std::string standard = {}) {
  const auto found = request.find(key);
  return found != request.end() && found->is_string() ? found->get<std::string>()
                                                      : std::move(standard);
}

std::size_t count_of(const Json& request, const char* key, std::size_t standard, std::size_t most) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_number_unsigned()) return standard;
  return static_cast<std::size_t>(std::min<std::uint64_t>(found->get<std::uint64_t>(), most));
}

std::optional<BusiestQuery::By> by_of(const std::string& word) {
  if (word == "packets") return BusiestQuery::By::packets;
  if (word == "bytes") return BusiestQuery::By::bytes;
  if (word == "unsent") return BusiestQuery::By::unsent;
  if (word == "age") return BusiestQuery::By::age;
  return std::nullopt;
}

std::optional<LogLevel> level_of(const std::string& word) {
  for (const LogLevel level :
       {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error, LogLevel::off})
    if (to_string(level) == word) return level;
  return std::nullopt;
}

/// cast: from now on, or no more, this process is traced for the session.
struct Traced {
  Pid pid;
  bool on = true;
};

/// Ends the traces of a session that has gone, however it went: what it asked of others would go on
/// without it.
class TraceKeeper {
 public:
  explicit TraceKeeper(Pid session) : session_(session) {}
  void init() const { self().monitor(session_); }
  void handle_cast(Traced message) {
    message.on ? static_cast<void>(traced_.insert(message.pid))
               : static_cast<void>(traced_.erase(message.pid));
  }
  void handle_info(Info& info) {
    if (info.get<Down>() != nullptr) self().start(end_all());
  }

 private:
  Task<> end_all() {
    for (const Pid pid : traced_) static_cast<void>(co_await sys::trace(pid, false));
    self().stop();
  }
  Pid session_;
  std::set<Pid> traced_;
};

}  // namespace

Next ObserverSession::init() {
  // The socket's file says so already, unless somebody has changed its mode.
  const auto who = connection().peer_credentials();
  if (!who || (who->uid != effective_user() && who->uid != 0))
    return stop(Reason::failed("only programs of the same user may observe"));
  return keep();
}

Task<> ObserverSession::handle_packet(Bytes packet) {
  const Json request = Json::parse(packet, nullptr, false);
  Json reply = Json::object();
  if (request.is_object())
    if (const auto id = request.find("id");
        id != request.end() && (id->is_number() || id->is_string()))
      reply["id"] = *id;
  if (!request.is_object()) {
    reply["error"] = "a request is one JSON object";
  } else if (under_way_ >= requests_at_once) {
    reply["error"] = fmt::format("{} requests are under way already", requests_at_once);
  } else {
    ++under_way_;
    Task<Answer> answering = answer(request);
    const Answer answered = co_await answering;
    --under_way_;
    if (answered) {
      reply["ok"] = std::move(**answered);
    } else {
      reply["error"] = answered.error().text();
    }
  }
  const std::string line = reply.dump(-1, ' ', false, Json::error_handler_t::replace);
  static_cast<void>(connection().send_packet(BytesView(line)));
}

Task<Answer> ObserverSession::answer(const Json& request) {
  const std::string ask = text_of(request, "ask");
  if (ask == "program") co_return program();
  if (ask == "figures") {
    Task<Figures> gathering = gather_figures(state_->options.buses);
    const Figures figures = co_await gathering;
    co_return made(figures_json(figures));
  }
  if (ask == "tree") {
    Task<std::shared_ptr<Json>> walking = tree_json(self().system().root());
    co_return co_await walking;
  }
  if (ask == "connections") {
    BusiestQuery query;
    const std::string by = text_of(request, "by", "packets");
    const auto chosen = by_of(by);
    if (!chosen) co_return wrong(fmt::format("by: '{}' is none of packets|bytes|unsent|age", by));
    query.by = *chosen;
    query.server = text_of(request, "server");
    query.offset = count_of(request, "offset", 0, 1'000'000);
    query.count = count_of(request, "count", 20, 1000);
    Task<Figures> gathering = gather_figures({});
    const Figures figures = co_await gathering;
    std::vector<std::string> servers;
    for (const auto& each : figures.servers) servers.push_back(each.name);
    Task<BusiestAnswer> looking = busiest_.look(std::move(query), std::move(servers));
    const BusiestAnswer answer = co_await looking;
    co_return made(connections_json(answer));
  }
  if (ask == "trace") {
    Task<Answer> tracing = trace(request);
    co_return co_await tracing;
  }
  if (ask == "events") co_return events(request);
  if (ask == "suspend" || ask == "resume" || ask == "drain") {
    Order order;
    order.verb = ask;
    order.server = text_of(request, "server");
    order.close_socket = text_of(request, "socket") == "close";
    order.deadline_ms = count_of(request, "deadline_ms", 0, 86'400'000);
    Task<Answer> obeying = obey(std::move(order));
    co_return co_await obeying;
  }
  co_return wrong(fmt::format(
      "ask: '{}' is none of program|figures|tree|connections|trace|events|suspend|resume|drain",
      ask.substr(0, 40)));
}

std::shared_ptr<Json> ObserverSession::program() const {
  const auto& scheduler = self().process().scheduler();
  return made(
      {{"protocol", 1},
       {"program", state_->options.program},
       {"version", state_->options.version},
       {"pid", ::getpid()},
       {"engine", self().process().scheduler().engine().info().name},
       {"schedulers", self().system().scheduler_count()},
       {"up_ms",
        std::chrono::duration<double, std::milli>(scheduler.now() - state_->started).count()}});
}

// ---- told as it happens
// ----------------------------------------------------------------------------------

Task<Answer> ObserverSession::trace(const Json& request) {
  const std::string text = text_of(request, "pid");
  const Pid pid = parse_pid(self().system(), text);
  if (!pid) co_return wrong(fmt::format("pid: '{}' is no process of this program", text));
  if (pid == self().pid()) co_return wrong("pid: an observer cannot trace itself");
  const auto found = request.find("on");
  const bool on = found == request.end() || !found->is_boolean() || found->get<bool>();
  if (on && traced_.size() >= traced_max)
    co_return std::unexpected(
        Error{ErrorKind::overloaded, 0, "trace", fmt::format("{} are traced already", traced_max)});
  if (on && !tracer_) {
    auto keeper = self().spawn<TraceKeeper>({}, self().pid());
    if (!keeper) co_return std::unexpected(std::move(keeper.error()));
    tracer_ = keeper->pid();
  }
  Result<bool> traced;
  if (on) {
    TraceOptions options =
        TraceOptions().to(self().pid()).show(count_of(request, "bytes", 0, 4096));
    traced = co_await sys::trace(pid, std::move(options));
  } else {
    traced = co_await sys::trace(pid, false);
  }
  if (!traced) co_return std::unexpected(std::move(traced.error()));
  on ? static_cast<void>(traced_.insert(pid)) : static_cast<void>(traced_.erase(pid));
  if (tracer_) Ref<TraceKeeper>(tracer_).cast(Traced{pid, on});
  co_return made({{"pid", text}, {"on", on}});
}

Answer ObserverSession::events(const Json& request) {
  const std::string word = text_of(request, "level", "info");
  const auto level = level_of(word);
  if (!level)
    return wrong(fmt::format("level: '{}' is none of debug|info|warning|error|off", word));
  events_ = {};
  if (*level == LogLevel::off) return made({{"level", word}});
  events_ = self().system().telemetry().subscribe(
      *level, [pid = self().pid()](const TelemetryEvent& event) {
        // What this very connection does would be told by doing more of it.
        if (event.pid() != pid) send_info(pid, Told{telemetry_line(event)});
      });
  return made({{"level", word}});
}

void ObserverSession::handle_info(Info& info) {
  if (const auto* event = info.get<TraceEvent>()) {
    tell(trace_line(*event));
  } else if (const auto* told = info.get<Told>()) {
    tell(told->line);
  } else {
    self().process().count_unexpected(info.type_name());
  }
}

void ObserverSession::tell(const std::string& line) {
  if (connection().unsent() > events_limit) {
    ++untold_;
    return;
  }
  if (untold_ != 0) {
    const std::string lost = Json({{"event", "lost"}, {"count", untold_}}).dump();
    untold_ = 0;
    static_cast<void>(connection().send_packet(BytesView(lost)));
  }
  static_cast<void>(connection().send_packet(BytesView(line)));
}

std::string ObserverSession::describe() const {
  return fmt::format("{} requests under way, {}{}", under_way_, events_ ? "events" : "no events",
                     tracer_ ? ", traces" : "");
}

}  // namespace hawser::hub::detail
