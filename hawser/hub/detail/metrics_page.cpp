// The one place that knows prometheus-cpp: its model and its text form, with our own counters
// behind most of it.
#include <hawser/hub/detail/metrics_page.hpp>

#include <hawser/net/trace_points.hpp>
#include <hawser/process/reason.hpp>

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace hawser::hub::detail {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// Families in the making, each with the metrics of one kind.
class Page {
 public:
  MetricFamily& family(std::string name, std::string help, MetricType type) {
    MetricFamily made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = type;
    families_.push_back(std::move(made));
    return families_.back();
  }
  static void add(MetricFamily& family, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (family.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family.metric.push_back(std::move(metric));
  }
  /// One figure of each server, scheduler or bus.
  template <class List, class LabelOf, class ValueOf>
  void each(MetricType type, std::string name, std::string help, const List& list,
            const LabelOf& label_of, const ValueOf& value_of) {
    MetricFamily& made = family(std::move(name), std::move(help), type);
    for (const auto& one : list)
      add(made, Labels{label_of(one)}, static_cast<double>(value_of(one)));
  }
  void one(MetricType type, std::string name, std::string help, double value, Labels labels = {}) {
    add(family(std::move(name), std::move(help), type), std::move(labels), value);
  }
  void take(std::vector<MetricFamily> more) {
    std::ranges::move(more, std::back_inserter(families_));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

void add_servers(Page& page, const std::vector<ServerStatus>& servers) {
  const auto label = [](const ServerStatus& each) {
    return ClientMetric::Label{"server", each.name};
  };
  const auto gauge = [&](const char* name, const char* help, auto value) {
    page.each(MetricType::Gauge, name, help, servers, label, value);
  };
  const auto counter = [&](const char* name, const char* help, auto value) {
    page.each(MetricType::Counter, name, help, servers, label, value);
  };
  using S = ServerStatus;
  gauge("hawser_server_accepting", "1 while the server accepts connections",
        [](const S& s) { return s.accepting ? 1 : 0; });
  gauge("hawser_server_draining", "1 while the server drains",
        [](const S& s) { return s.draining ? 1 : 0; });
  gauge("hawser_server_alarms", "Alarms that are raised",
        [](const S& s) { return s.alarms.size(); });
  gauge("hawser_server_connections", "Open connections that count towards the limit",
        [](const S& s) { return s.connections; });
  gauge("hawser_server_connections_uncounted", "Open connections taken out of the count",
        [](const S& s) { return s.uncounted; });
  gauge("hawser_server_connections_limit", "The server's max_connections",
        [](const S& s) { return s.max_connections; });
  counter("hawser_server_accepted_total", "Connections accepted from the kernel",
          [](const S& s) { return s.accepted; });
  counter("hawser_server_accept_errors_total", "Failed accepts",
          [](const S& s) { return s.accept_errors; });
  counter("hawser_server_refused_total",
          "Connections closed at the limit or for want of descriptors",
          [](const S& s) { return s.refused; });
  counter("hawser_server_shed_total", "Refused connections that were told so",
          [](const S& s) { return s.shed; });
  counter("hawser_server_connections_started_total", "Connections whose handler was started",
          [](const S& s) { return s.started; });
  counter("hawser_server_connections_not_started_total",
          "Connections that ended before their handler was there",
          [](const S& s) { return s.not_started; });
  counter("hawser_server_handshake_failures_total",
          "Connections that ended before their transports were ready",
          [](const S& s) { return s.handshake_failures; });
  counter("hawser_server_packets_received_total", "Packets handed to handlers",
          [](const S& s) { return s.packets_in; });
  counter("hawser_server_packets_sent_total", "Packets queued for peers",
          [](const S& s) { return s.packets_out; });
  counter("hawser_server_received_bytes_total", "Bytes received",
          [](const S& s) { return s.bytes_in; });
  counter("hawser_server_sent_bytes_total", "Bytes queued for peers",
          [](const S& s) { return s.bytes_out; });
  counter("hawser_server_read_pauses_total",
          "Times a connection stopped reading at its high-water mark",
          [](const S& s) { return s.pauses; });
  counter("hawser_server_cut_off_total", "Ends whose last bytes did not leave in time",
          [](const S& s) { return s.cut_off; });
  counter("hawser_server_lost_bytes_total", "Bytes queued for peers that never left",
          [](const S& s) { return s.bytes_lost; });
  MetricFamily& ended =
      page.family("hawser_server_connections_ended_total",
                  "Ended connections by the kind of their reason", MetricType::Counter);
  for (const S& server : servers)
    for (std::size_t kind = 0; kind < server.ended.size(); ++kind)
      Page::add(ended,
                {{"server", server.name},
                 {"reason", std::string(to_string(static_cast<Reason::Kind>(kind)))}},
                static_cast<double>(server.ended[kind]));
}

void add_schedulers(Page& page, const Figures& figures) {
  const auto label = [](const SchedulerFigures& each) {
    return ClientMetric::Label{"scheduler", std::to_string(each.number)};
  };
  const auto& all = figures.schedulers;
  using F = SchedulerFigures;
  page.each(MetricType::Counter, "hawser_scheduler_turns_total", "Turns of the loop", all, label,
            [](const F& f) { return f.turns; });
  page.each(MetricType::Counter, "hawser_scheduler_messages_total", "Messages handled by processes",
            all, label, [](const F& f) { return f.messages; });
  page.each(MetricType::Gauge, "hawser_scheduler_run_queue", "Processes with something to do", all,
            label, [](const F& f) { return f.run_queue; });
  page.each(MetricType::Gauge, "hawser_scheduler_processes", "Processes", all, label,
            [](const F& f) { return f.processes; });
  page.each(MetricType::Gauge, "hawser_scheduler_traced_processes", "Processes that are traced",
            all, label, [](const F& f) { return f.traced; });
  page.one(MetricType::Counter, "hawser_stalls_total",
           "Callbacks that held their scheduler longer than the warning limit",
           static_cast<double>(figures.stalls));
  page.one(MetricType::Gauge, "hawser_longest_callback_seconds",
           "Longest callback that the stall watch has met", to_seconds(figures.longest_callback));
}

void add_buses(Page& page, const std::vector<BusFigures>& buses) {
  if (buses.empty()) return;
  const auto label = [](const BusFigures& each) { return ClientMetric::Label{"bus", each.name}; };
  const auto add = [&](MetricType type, const char* name, const char* help,
                       std::uint64_t bus::BusStatistics::* value) {
    page.each(type, name, help, buses, label,
              [value](const BusFigures& each) { return each.statistics.*value; });
  };
  using B = bus::BusStatistics;
  add(MetricType::Counter, "hawser_bus_published_total", "Messages published", &B::published);
  add(MetricType::Counter, "hawser_bus_delivered_total", "Messages given to subscribers",
      &B::delivered);
  add(MetricType::Counter, "hawser_bus_dropped_total", "Messages dropped at a limit", &B::dropped);
  add(MetricType::Counter, "hawser_bus_refused_total", "Requests refused at a limit", &B::refused);
  add(MetricType::Counter, "hawser_bus_settled_total", "Deliveries accepted", &B::settled);
  add(MetricType::Counter, "hawser_bus_redelivered_total", "Deliveries that were not the first",
      &B::redelivered);
  add(MetricType::Counter, "hawser_bus_expired_total", "Messages too old to be delivered",
      &B::expired);
  add(MetricType::Counter, "hawser_bus_dead_lettered_total", "Messages moved to dead letters",
      &B::dead_lettered);
  add(MetricType::Gauge, "hawser_bus_unsettled_messages", "Messages given out and not settled",
      &B::unsettled_messages);
  add(MetricType::Gauge, "hawser_bus_topics", "Topics", &B::topics);
  add(MetricType::Gauge, "hawser_bus_queues", "Queues", &B::queues);
  add(MetricType::Gauge, "hawser_bus_subscriptions", "Subscriptions", &B::subscriptions);
  add(MetricType::Gauge, "hawser_bus_waiting_messages", "Messages that wait", &B::waiting_messages);
  add(MetricType::Gauge, "hawser_bus_waiting_bytes", "Bytes of messages that wait",
      &B::waiting_bytes);
}

std::string_view kind_word(bus::Destination::Kind kind) {
  switch (kind) {
    case bus::Destination::Kind::topic:
      return "topic";
    case bus::Destination::Kind::queue:
      return "queue";
    default:
      return "subscription";
  }
}

void add_destinations(Page& page, const std::vector<BusFigures>& buses) {
  using D = bus::DestinationStatistics;
  const auto add = [&](MetricType type, const char* name, const char* help, auto value) {
    MetricFamily& family = page.family(std::string("hawser_destination_") + name, help, type);
    for (const BusFigures& each : buses)
      for (const D& one : each.destinations)
        Page::add(family,
                  {{"bus", each.name},
                   {"kind", std::string(kind_word(one.destination.kind))},
                   {"name", one.destination.name}},
                  static_cast<double>(value(one)));
  };
  const auto none = [](const BusFigures& each) { return each.destinations.empty(); };
  if (std::ranges::all_of(buses, none)) return;
  const auto counter = [&](const char* name, const char* help, auto value) {
    add(MetricType::Counter, name, help, value);
  };
  const auto gauge = [&](const char* name, const char* help, auto value) {
    add(MetricType::Gauge, name, help, value);
  };
  counter("in_total", "Messages put in", [](const D& d) { return d.in; });
  counter("out_total", "Deliveries made", [](const D& d) { return d.out; });
  counter("settled_total", "Deliveries accepted", [](const D& d) { return d.settled; });
  counter("redelivered_total", "Deliveries that were not the first",
          [](const D& d) { return d.redelivered; });
  counter("dropped_total", "Messages dropped by a limit", [](const D& d) { return d.dropped; });
  counter("expired_total", "Messages too old to be delivered",
          [](const D& d) { return d.expired; });
  counter("dead_lettered_total", "Messages moved to dead letters",
          [](const D& d) { return d.dead_lettered; });
  gauge("messages", "Kept, those given out included", [](const D& d) { return d.messages; });
  gauge("bytes", "The same in bytes", [](const D& d) { return d.bytes; });
  gauge("unsettled", "Given out and not settled", [](const D& d) { return d.unsettled; });
  gauge("consumers", "Subscribers of exactly this", [](const D& d) { return d.consumers; });
  gauge("oldest_seconds", "How long the oldest message has been here",
        [](const D& d) { return to_seconds(d.oldest); });
}

}  // namespace

struct EventMetrics::Families {
  using Buckets = prometheus::Histogram::BucketBoundaries;

  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& events = prometheus::BuildCounter()
                                                        .Name("hawser_events_total")
                                                        .Help("Events by trace point")
                                                        .Register(registry);
  prometheus::Family<prometheus::Histogram>& lives = prometheus::BuildHistogram()
                                                         .Name("hawser_connection_duration_seconds")
                                                         .Help("How long connections lasted")
                                                         .Register(registry);
  prometheus::Family<prometheus::Histogram>& handshakes =
      prometheus::BuildHistogram()
          .Name("hawser_handshake_duration_seconds")
          .Help("How long the transports of a connection took to be ready")
          .Register(registry);
  Buckets life_buckets{0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 86400};
  Buckets handshake_buckets{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};
};

EventMetrics::EventMetrics() : families_(std::make_unique<Families>()) {}
EventMetrics::~EventMetrics() = default;

void EventMetrics::note(const TelemetryEvent& event) {
  families_->events.Add({{"point", std::string(event.point())}}).Increment();
  const auto observe = [&](auto& family, const auto& buckets, std::string_view measure) {
    if (const auto length = event.measure(measure))
      family.Add({{"server", std::string(event.source())}}, buckets)
          .Observe(to_seconds(Duration(*length)));
  };
  if (event.point() == trace_point::connection_ended.name)
    observe(families_->lives, families_->life_buckets, "age_ns");
  if (event.point() == trace_point::connection_ready.name)
    observe(families_->handshakes, families_->handshake_buckets, "handshake_ns");
}

std::string metrics_page(const Figures& figures, const EventMetrics& events,
                         const std::string& version) {
  Page page;
  page.one(MetricType::Gauge, "hawser_info", "Always 1; the version is in the label", 1,
           {{"version", version}});
  if (figures.resident != 0)
    page.one(MetricType::Gauge, "process_resident_memory_bytes", "Resident memory",
             static_cast<double>(figures.resident));
  page.one(MetricType::Gauge, "hawser_silent_servers", "Servers that did not answer in time",
           static_cast<double>(figures.silent_servers));
  add_schedulers(page, figures);
  add_servers(page, figures.servers);
  add_buses(page, figures.buses);
  add_destinations(page, figures.buses);
  page.take(events.families_->registry.Collect());
  return page.text();
}

}  // namespace hawser::hub::detail
