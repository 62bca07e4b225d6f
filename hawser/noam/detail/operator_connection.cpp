// A table of paths; what a path does is done by the room, in one call.
#include <hawser/noam/detail/operator_connection.hpp>
#include <hawser/noam/detail/operator_json.hpp>

#include <hawser/net/connection.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <charconv>
#include <utility>

namespace hawser::noam::detail {

namespace {

constexpr std::string_view page =
    "<!doctype html><meta charset=utf-8><title>Noam</title>"
    "<style>body{font:16px sans-serif;margin:2em}pre{background:#eee;padding:1em}</style>"
    "<h1>Noam host</h1><p>Lemmas and last values:</p><pre id=now></pre><script>"
    "async function look(t){try{const r=await(await fetch(t?'/arefresh?time='+t:'/refresh'))"
    ".json();document.getElementById('now').textContent=JSON.stringify(r,null,1);"
    "setTimeout(()=>look(r.time),200)}catch(e){setTimeout(()=>look(0),2000)}}look(0)"
    "</script>";

HttpResponse json_response(std::string json) {
  return {200, "application/json", std::move(json), {{"cache-control", "no-store"}}};
}

/// The room is of one thread with us or not: its answer is a string either way.
using Ask = std::function<Result<std::string>(Room&, Room::Now)>;

std::int64_t time_of(std::string_view query) {
  const std::string text = form_value(query, "time");
  std::int64_t time = 0;
  std::from_chars(text.data(), text.data() + text.size(), time);
  return time;
}

/// A browser tells whose page asks: no other site's page may play the operator.
bool comes_from_another_page(const HttpRequest& request) {
  std::string_view origin = request.header("origin");
  if (origin.empty()) return false;
  const std::size_t place = origin.find("://");
  return place == std::string_view::npos || origin.substr(place + 3) != request.header("host");
}

}  // namespace

Next OperatorConnection::init() {
  room_ = Ref<RoomProcess>(self().whereis(room_name_));
  self().start_timer("request", options_->registration_timeout);
  return keep();
}

Next OperatorConnection::handle_timer(std::string_view) {
  return stop(Reason::timeout("no request came"));
}

Next OperatorConnection::handle_packet(Packet bytes) {
  if (answering_) return keep();  // one request a connection
  switch (reader_.put(bytes)) {
    case HttpReader::State::need_more:
      return keep();
    case HttpReader::State::failed:
      return send(http_response_text(
                      {reader_.fault_status(), "text/plain; charset=utf-8", reader_.fault(), {}}))
          .then_stop();
    case HttpReader::State::done:
      break;
  }
  answering_ = true;
  self().process().cancel_timer("request");
  self().start(answer());
  return keep();
}

Task<void> OperatorConnection::answer() {
  const HttpResponse response = co_await respond();
  std::string text = http_response_text(response);
  if (reader_.request().method() == "HEAD") text.resize(text.size() - response.body.size());
  (void)connection().send_packet(text);
  self().stop();
}

HttpResponse OperatorConnection::method_not_allowed(std::string_view allowed) const {
  return {
      405, "text/plain; charset=utf-8", "method not allowed", {{"allow", std::string(allowed)}}};
}

Task<HttpResponse> OperatorConnection::respond() {
  const HttpRequest& request = reader_.request();
  const std::string path(request.path());
  const std::string query(request.query());
  const std::string body = reader_.body();
  const bool get = request.method() == "GET" || request.method() == "HEAD";
  const bool post = request.method() == "POST";
  Ask ask;
  if (post && comes_from_another_page(request))
    co_return HttpResponse{403, "text/plain; charset=utf-8", "asked by another site's page", {}};
  if (path == "/") {
    if (!get) co_return method_not_allowed("GET");
    co_return HttpResponse{200, "text/html; charset=utf-8", std::string(page), {}};
  }
  if (path == "/arefresh" || path == "/aguests") {
    if (!get) co_return method_not_allowed("GET");
    co_return co_await poll(path == "/aguests");
  }
  if (path == "/settings" && get) {
    ask = [](Room& room, Room::Now) { return settings_json(room); };
  } else if (path == "/settings" && post) {
    ask = [body](Room& room, Room::Now now) -> Result<std::string> {
      bool named = false;
      const std::string name = form_value(body, "name", &named);
      if (named) {
        if (auto set = room.set_room(name, now); !set)
          return std::unexpected(std::move(set.error()));
      }
      bool switched = false;
      const std::string on = form_value(body, "on", &switched);
      if (switched) room.set_on(on == "true" || on == "1" || on == "on", now);
      return "{\"set\":true," + settings_json(room).substr(1);
    };
  } else if (path == "/refresh" && get) {
    ask = [](Room& room, Room::Now now) { return refresh_json(room, "good", now.wall); };
  } else if (path == "/guests" && get) {
    ask = [query](Room& room, Room::Now now) { return guests_json(room, query, "", now.wall); };
  } else if (path == "/guests/join" && post) {
    ask = [body](Room& room, Room::Now now) -> std::string {
      if (!room.grab(body, now)) return "{\"status\":\"nolemma\"}";
      return "{\"status\":\"ok\",\"lemma\":" + free_lemma_json(room.free_lemmas().at(body)) + "}";
    };
  } else if (path == "/guests/free" && post) {
    ask = [body](Room& room, Room::Now now) -> std::string {
      return room.free(body, now) ? "{\"status\":\"ok\"}" : "{\"status\":\"fail\"}";
    };
  } else if (path == "/play-event" && post) {
    ask = [body](Room& room, Room::Now now) -> std::string {
      room.play(form_value(body, "name"), form_value(body, "value"), now);
      return "{\"result\":\"ok\"}";
    };
  } else if (path == "/stop-server" && post) {
    if (!options_->http_may_stop)
      co_return HttpResponse{403, "text/plain; charset=utf-8", "not switched on", {}};
    self().system().request_stop();
    co_return HttpResponse{200, "text/plain; charset=utf-8", "ok", {}};
  } else {
    for (const std::string_view known : {"/settings", "/refresh", "/guests"})
      if (path == known) co_return method_not_allowed(known == "/settings" ? "GET, POST" : "GET");
    for (const std::string_view known :
         {"/guests/join", "/guests/free", "/play-event", "/stop-server"})
      if (path == known) co_return method_not_allowed("POST");
    co_return HttpResponse{404, "text/plain; charset=utf-8", "no such page", {}};
  }
  const WithRoom<std::string> question(std::move(ask));
  auto answered = co_await room_.call(question);
  if (!answered)
    co_return HttpResponse{answered.error().kind == ErrorKind::invalid_argument ? 400 : 503,
                           "text/plain; charset=utf-8",
                           answered.error().text(),
                           {}};
  co_return json_response(*std::move(answered));
}

Task<HttpResponse> OperatorConnection::poll(bool guests) {
  const std::string query(reader_.request().query());
  const std::int64_t since = time_of(query);
  const Instant until = self().now() + options_->poll_timeout;
  constexpr Duration step = 250ms;
  for (;;) {
    const bool over = self().now() >= until;
    // Answers "" when there is nothing to tell yet.
    const WithRoom<std::string> question([=](Room& room, Room::Now now) -> Result<std::string> {
      const WallTime changed = guests ? room.guests_changed() : room.plays_changed();
      const bool news = milliseconds(changed) >= since;
      if (!news && !over) return std::string{};
      const std::string_view type = news ? "good" : "timeout";
      return guests ? guests_json(room, query, type, now.wall) : refresh_json(room, type, now.wall);
    });
    auto answered = co_await room_.call(question);
    if (!answered)
      co_return HttpResponse{503, "text/plain; charset=utf-8", answered.error().text(), {}};
    if (!answered->empty()) co_return json_response(*std::move(answered));
    co_await sleep(step);
  }
}

}  // namespace hawser::noam::detail
