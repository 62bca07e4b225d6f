// One function for each part; names are those of docs/observation.md.
#include <hawser/hub/detail/observer_json.hpp>

#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/sys.hpp>
#include <hawser/process/system.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <utility>

namespace hawser::hub::detail {
namespace {

constexpr std::size_t listed_children = 200;
constexpr unsigned depth_max = 16;
constexpr Duration answer_limit = 500ms;

double milliseconds(Duration length) {
  return std::chrono::duration<double, std::milli>(length).count();
}

/// States hold what users and peers wrote: JSON takes UTF-8 only.
std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json stall_json(const StallRecord::Seen& seen, Instant now) {
  return {{"ago_ms", milliseconds(now - seen.when)},
          {"scheduler", seen.scheduler},
          {"handler", seen.stall.handler},
          {"callback", seen.stall.callback},
          {"so_far_ms", milliseconds(seen.stall.so_far)}};
}

Json bus_json(const BusFigures& bus) {
  const bus::BusStatistics& all = bus.statistics;
  return {{"name", bus.name},
          {"published", all.published},
          {"delivered", all.delivered},
          {"settled", all.settled},
          {"redelivered", all.redelivered},
          {"dropped", all.dropped},
          {"expired", all.expired},
          {"dead_lettered", all.dead_lettered},
          {"unsettled", all.unsettled_messages},
          {"refused", all.refused},
          {"topics", all.topics},
          {"queues", all.queues},
          {"subscriptions", all.subscriptions},
          {"waiting_messages", all.waiting_messages},
          {"waiting_bytes", all.waiting_bytes}};
}

Json node_json(const std::string& id, Pid pid) {
  return {{"id", id}, {"pid", pid ? Json(pid.text()) : Json(nullptr)}};
}

Task<std::shared_ptr<Json>> walk(std::string id, Pid pid, bool supervisor, unsigned depth,
                                 std::shared_ptr<std::size_t> left) {
  auto node = std::make_shared<Json>(node_json(id, pid));
  if (!pid || *left == 0) co_return node;
  --*left;
  const Result<sys::Status> status = co_await sys::get_status(pid, answer_limit);
  if (!status) {
    (*node)["silent"] = status.error().text();
    co_return node;
  }
  (*node)["handler"] = status->handler;
  (*node)["name"] = status->name;
  (*node)["state"] = status->state;
  (*node)["mailbox"] = status->statistics.mailbox;
  (*node)["messages"] = status->statistics.messages;
  (*node)["age_ms"] = milliseconds(status->statistics.age);
  if (!supervisor || depth == depth_max) co_return node;
  const Result<ChildCounts> counts =
      co_await Ref<Supervisor>(pid).call(CountChildren{}, answer_limit);
  if (!counts) co_return node;  // a supervisor of another kind, which tells in its state
  (*node)["children_count"] = counts->specs;
  if (counts->specs > listed_children) co_return node;
  const Result<std::vector<ChildInfo>> children =
      co_await Ref<Supervisor>(pid).call(WhichChildren{}, answer_limit);
  if (!children) co_return node;
  Json list = Json::array();
  for (const ChildInfo& child : *children) {
    Task<std::shared_ptr<Json>> below =
        walk(child.id, child.pid, child.supervisor, depth + 1, left);
    std::shared_ptr<Json> made = co_await below;
    if (child.state == ChildState::restarting) (*made)["restarting"] = true;
    list.push_back(std::move(*made));
  }
  (*node)["children"] = std::move(list);
  co_return node;
}

}  // namespace

Json server_json(const ServerStatus& status) {
  Json ended = Json::object();
  for (std::size_t kind = 0; kind < status.ended.size(); ++kind)
    if (status.ended[kind] != 0)
      ended[std::string(to_string(static_cast<Reason::Kind>(kind)))] = status.ended[kind];
  return {{"name", status.name},
          {"address", status.address.text()},
          {"accepting", status.accepting},
          {"not_accepting_because", status.not_accepting_because},
          {"draining", status.draining},
          {"connections", status.connections},
          {"uncounted", status.uncounted},
          {"max_connections", status.max_connections},
          {"per_scheduler", status.per_scheduler},
          {"accepted", status.accepted},
          {"accept_errors", status.accept_errors},
          {"refused", status.refused},
          {"shed", status.shed},
          {"started", status.started},
          {"not_started", status.not_started},
          {"handshake_failures", status.handshake_failures},
          {"ended", std::move(ended)},
          {"packets_in", status.packets_in},
          {"packets_out", status.packets_out},
          {"bytes_in", status.bytes_in},
          {"bytes_out", status.bytes_out},
          {"pauses", status.pauses},
          {"cut_off", status.cut_off},
          {"bytes_lost", status.bytes_lost},
          {"alarms", status.alarms}};
}

Json figures_json(const Figures& figures) {
  Json all{{"when_ms", milliseconds(figures.when.since_zero())},
           {"resident_bytes", figures.resident},
           {"silent_servers", figures.silent_servers},
           {"stalls",
            {{"count", figures.stalls},
             {"longest_callback_ms", milliseconds(figures.longest_callback)},
             {"last", Json::array()}}},
           {"schedulers", Json::array()},
           {"servers", Json::array()},
           {"buses", Json::array()}};
  for (const auto& seen : figures.last_stalls)
    all["stalls"]["last"].push_back(stall_json(seen, figures.when));
  for (const SchedulerFigures& each : figures.schedulers)
    all["schedulers"].push_back({{"number", each.number},
                                 {"turns", each.turns},
                                 {"messages", each.messages},
                                 {"run_queue", each.run_queue},
                                 {"processes", each.processes},
                                 {"traced", each.traced}});
  for (const ServerStatus& each : figures.servers) all["servers"].push_back(server_json(each));
  for (const BusFigures& each : figures.buses) all["buses"].push_back(bus_json(each));
  return all;
}

Json connections_json(const BusiestAnswer& answer) {
  Json rows = Json::array();
  for (const RatedConnection& row : answer.rows)
    rows.push_back({{"pid", row.info.pid.text()},
                    {"server", row.server},
                    {"peer", row.info.peer.text()},
                    {"age_ms", milliseconds(row.info.age)},
                    {"packets_in", row.info.packets_in},
                    {"packets_out", row.info.packets_out},
                    {"bytes_in", row.info.bytes_in},
                    {"bytes_out", row.info.bytes_out},
                    {"packets_in_rate", row.packets_in},
                    {"packets_out_rate", row.packets_out},
                    {"bytes_in_rate", row.bytes_in},
                    {"bytes_out_rate", row.bytes_out},
                    {"unsent", row.info.unsent},
                    {"waiting", row.info.waiting},
                    {"dropped", row.info.dropped},
                    {"reading", row.info.reading},
                    {"handshaking", row.info.handshaking}});
  return {{"count", answer.connections}, {"connections", std::move(rows)}};
}

std::string trace_line(const TraceEvent& event) {
  return dumped({{"event", "trace"},
                 {"pid", event.pid.text()},
                 {"at_ms", milliseconds(event.when.since_zero())},
                 {"kind", to_string(event.kind)},
                 {"what", event.what}});
}

std::string telemetry_line(const TelemetryEvent& event) {
  Json measures = Json::object();
  for (const Measure& each : event.measures()) measures[std::string(each.name)] = each.value;
  return dumped({{"event", "telemetry"},
                 {"point", event.point()},
                 {"level", to_string(event.level())},
                 {"at_ms", milliseconds(event.when().since_zero())},
                 {"pid", event.pid() ? Json(event.pid().text()) : Json(nullptr)},
                 {"source", event.source()},
                 {"text", event.text()},
                 {"measures", std::move(measures)}});
}

Task<std::shared_ptr<Json>> tree_json(Pid top, std::size_t nodes) {
  return walk("root", top, true, 0, std::make_shared<std::size_t>(nodes));
}

Pid parse_pid(System& system, const std::string& text) {
  unsigned scheduler = 0;
  Pid pid;
  int read = 0;
  if (std::sscanf(text.c_str(), "<%u.%u.%u>%n", &scheduler, &pid.index, &pid.generation, &read) !=
          3 ||
      static_cast<std::size_t>(read) != text.size() || scheduler >= system.scheduler_count())
    return {};
  pid.scheduler = &system.scheduler(scheduler);
  return pid;
}

}  // namespace hawser::hub::detail
