// Figures and events as Prometheus text. Internal to metrics; EventMetrics from any thread.
#pragma once

#include <hawser/hub/figures.hpp>
#include <hawser/process/telemetry.hpp>

#include <memory>
#include <string>

namespace hawser::hub::detail {

/// Counts events and how long connections and handshakes last: a subscriber of telemetry.
class EventMetrics {
 public:
  EventMetrics();
  EventMetrics(const EventMetrics&) = delete;
  EventMetrics& operator=(const EventMetrics&) = delete;
  ~EventMetrics();

  void note(const TelemetryEvent& event);

 private:
  friend std::string metrics_page(const Figures&, const EventMetrics&, const std::string&);
  struct Families;
  std::unique_ptr<Families> families_;
};

/// The whole page, text format 0.0.4.
std::string metrics_page(const Figures& figures, const EventMetrics& events,
                         const std::string& version);

}  // namespace hawser::hub::detail
