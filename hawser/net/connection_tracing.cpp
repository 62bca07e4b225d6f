// What a connection tells of itself while somebody wants to know; apart, so that the ways of
// packets stay short.
#include <hawser/net/connection.hpp>
#include <hawser/net/connection_group.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <variant>

namespace hawser {
namespace {
BytesView view_of(std::monostate) noexcept { return {}; }
}  // namespace

/// The packets of an answer; those that have to wait are traced when they go.
void Connection::trace_answer(Next& next) {
  if (diverts()) return;
  next.for_each_outgoing([this](Next::Outgoing& outgoing) {
    std::visit([this](const auto& bytes) { trace_packet(TraceKind::packet_out, view_of(bytes)); },
               outgoing);
  });
}

/// Raises one of its events; `level` debug, so that off it is one branch.
void Connection::tell(const TracePoint& point, std::initializer_list<Measure> measures) const {
  Telemetry& telemetry = group_->scheduler().telemetry();
  if (!telemetry.wants(LogLevel::debug)) [[likely]]
    return;
  telemetry.raise(
      point, LogLevel::debug, group_->scheduler().now(), pid(), group_->name(), measures, [&] {
        return fmt::format("{} {} {}", point.name, pid().text(), peer().value_or(Address{}).text());
      });
}

}  // namespace hawser
