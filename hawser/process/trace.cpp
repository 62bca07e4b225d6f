// Handing trace events to where they go.
#include <hawser/process/trace.hpp>

#include <hawser/base/log.hpp>
#include <hawser/process/detail/process_extras.hpp>
#include <hawser/process/process.hpp>
#include <hawser/process/scheduler.hpp>
#include <hawser/process/send.hpp>

#include <fmt/format.h>

#include <exception>

namespace hawser {

std::string_view to_string(TraceKind kind) noexcept {
  constexpr std::array<std::string_view, trace_kinds> names{
      "message", "call",  "cast",    "event",       "info",      "answer",     "exit", "signal",
      "system",  "timer", "timeout", "message_out", "packet_in", "packet_out", "end"};
  const auto at = static_cast<std::size_t>(kind);
  return at < names.size() ? names[at] : "?";
}

void detail::Tracer::note(const TraceEvent& event) {
  ++counts_[static_cast<std::size_t>(event.kind)];
  if (options_->kept() == 0) return;
  if (ring_.size() < options_->kept()) {
    ring_.push_back(event);
    return;
  }
  ring_[oldest_] = event;
  oldest_ = (oldest_ + 1) % ring_.size();
}

TraceReport detail::Tracer::report() const {
  TraceReport report;
  report.counts = counts_;
  for (std::size_t i = 0; i < ring_.size(); ++i)
    report.last.push_back(ring_[(oldest_ + i) % ring_.size()]);
  return report;
}

void Process::set_traced(bool traced) {
  if (traced == traced_) return;
  trace_with(traced ? std::make_shared<const TraceOptions>() : nullptr);
}

void Process::trace_with(std::shared_ptr<const TraceOptions> options) {
  if (state_ == State::ended) return;
  if (options == nullptr) {
    stop_tracing();
    return;
  }
  rare().tracer = std::make_shared<detail::Tracer>(std::move(options));
  if (!std::exchange(traced_, true)) scheduler_->traced_changed(1);
}

void Process::stop_tracing() noexcept {
  if (!std::exchange(traced_, false)) return;
  scheduler_->traced_changed(-1);
  extras_->rare->tracer.reset();
}

std::optional<TraceReport> Process::trace_report() const {
  if (!traced_) return std::nullopt;
  return extras_->rare->tracer->report();
}

void Process::trace(TraceKind kind, std::string_view what) {
  if (!traced_) return;
  const auto tracer = extras_->rare->tracer;  // a sink may switch tracing off
  if (!tracer->begin()) return;
  TraceEvent event{scheduler_->now(), pid(), kind, std::string(what)};
  tracer->note(event);
  const TraceOptions& options = tracer->options();
  if (options.logs())
    scheduler_->log().info(label(), fmt::format("trace {}: {}", to_string(kind), what));
  if (options.sink()) {
    try {
      options.sink()(event);
    } catch (const std::exception& thrown) {
      scheduler_->log().warning(
          label(), fmt::format("its trace sink threw and is dropped: {}", thrown.what()));
      stop_tracing();
    } catch (...) {
      scheduler_->log().warning(label(), "its trace sink threw and is dropped");
      stop_tracing();
    }
  }
  if (options.collector() && options.collector() != pid())
    send_info(options.collector(), std::move(event));
  tracer->end();
}

void Process::trace_packet(TraceKind kind, std::string_view packet) {
  if (!traced_) return;
  std::string what = fmt::format("{} bytes", packet.size());
  const std::size_t shown = extras_->rare->tracer->options().shown();
  if (shown != 0 && !redacts()) {
    what += " \"";
    for (const char c : packet.substr(0, shown)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        what += '\\';
        what += c;
      } else if (byte >= 0x20 && byte < 0x7f) {
        what += c;
      } else {
        what += fmt::format("\\x{:02x}", byte);
      }
    }
    what += packet.size() > shown ? "\"…" : "\"";
  }
  trace(kind, what);
}

}  // namespace hawser
