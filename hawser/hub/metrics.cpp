// Just enough HTTP for a scrape: one request, one answer, the end.
#include <hawser/hub/metrics.hpp>

#include <hawser/hub/detail/metrics_page.hpp>
#include <hawser/hub/figures.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace hawser::hub {
namespace {

struct MetricsState {
  MetricsOptions options;
  // Shared with the subscriber: a call of it may still be under way when the subscription ends.
  std::shared_ptr<detail::EventMetrics> events = std::make_shared<detail::EventMetrics>();
  Telemetry::Subscription subscription;
};

/// The request line's parts; empty when it is none.
struct RequestLine {
  std::string_view method;
  std::string_view path;

  explicit RequestLine(std::string_view head) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first == line.npos ? first : first + 1);
    if (second == line.npos || !line.substr(second + 1).starts_with("HTTP/1.")) return;
    method = line.substr(0, first);
    path = line.substr(first + 1, second - first - 1);
    path = path.substr(0, path.find('?'));
  }
};

std::string response(std::string_view status, std::string_view extra, std::string_view body,
                     bool with_body) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      "Content-Length: {}\r\n{}Connection: close\r\n\r\n{}",
      status, body.size(), extra, with_body ? body : std::string_view{});
}

/// Answers one request. Its head is the packet, the answer goes out as it is.
class MetricsConnection {
 public:
  explicit MetricsConnection(std::shared_ptr<const MetricsState> state)
      : state_(std::move(state)) {}

  Task<> handle_packet(Bytes head) {
    if (std::exchange(answered_, true)) co_return;  // pipelined: we close
    const RequestLine request{std::string_view(head)};
    const bool get = request.method == "GET";
    std::string text;
    if (request.method.empty()) {
      text = response("400 Bad Request", "", "this is not HTTP/1.1\n", true);
    } else if (!get && request.method != "HEAD") {
      text = response("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "GET or HEAD\n", true);
    } else if (request.path != "/metrics") {
      text = response("404 Not Found", "", "see /metrics\n", get);
    } else {
      Task<Figures> gathering = gather_figures(state_->options.buses, state_->options.destinations);
      const Figures figures = co_await gathering;
      text = response("200 OK", "",
                      detail::metrics_page(figures, *state_->events, state_->options.version), get);
    }
    connection().set_framing(raw());
    static_cast<void>(connection().send_packet(BytesView(text)));
    self().stop();
  }

 private:
  std::shared_ptr<const MetricsState> state_;
  bool answered_ = false;
};

}  // namespace

Result<Address> start_metrics(System& system, const MetricsOptions& options) {
  ServerOptions server_options;
  server_options.listen = options.listen;
  server_options.framing = delimiter("\r\n\r\n", {.maximum = std::size_t{8} << 10});
  server_options.max_connections = options.max_connections;
  server_options.connection.idle_timeout = 30s;
  server_options.drain_deadline = 1s;
  const auto state = std::make_shared<MetricsState>();
  state->options = options;
  if (auto launched = system.launch(); !launched) return std::unexpected(launched.error());
  state->subscription = system.telemetry().subscribe(
      LogLevel::debug,
      [events = state->events](const TelemetryEvent& event) { events->note(event); });
  const auto started = system.start(server<MetricsConnection>(
      "metrics", server_options, std::shared_ptr<const MetricsState>(state)));
  if (!started) return std::unexpected(started.error());
  auto status = server_status(system, "metrics");
  if (!status) return std::unexpected(std::move(status.error()));
  return status->address;
}

}  // namespace hawser::hub
