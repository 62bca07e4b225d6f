// The ring of trace entries and their text.
#include <hawser/engine/sim/trace.hpp>

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace hawser::sim {

std::string_view to_string(TraceKind kind) noexcept {
  switch (kind) {
    case TraceKind::turn:
      return "turn";
    case TraceKind::advance:
      return "advance";
    case TraceKind::connecting:
      return "connecting";
    case TraceKind::connected:
      return "connected";
    case TraceKind::refused:
      return "refused";
    case TraceKind::segment:
      return "segment";
    case TraceKind::end_of_stream:
      return "end_of_stream";
    case TraceKind::reset:
      return "reset";
    case TraceKind::held:
      return "held";
    case TraceKind::read:
      return "read";
    case TraceKind::written:
      return "written";
    case TraceKind::accepted:
      return "accepted";
    case TraceKind::cancelled:
      return "cancelled";
    case TraceKind::completed:
      return "completed";
    case TraceKind::closed:
      return "closed";
    case TraceKind::datagram:
      return "datagram";
    case TraceKind::fault:
      return "fault";
    case TraceKind::job:
      return "job";
    case TraceKind::host:
      return "host";
    case TraceKind::link:
      return "link";
    case TraceKind::remark:
      return "remark";
  }
  return "?";
}

std::string_view to_string(FaultKind kind) noexcept {
  switch (kind) {
    case FaultKind::connect_refused:
      return "connect_refused";
    case FaultKind::connect_black_holed:
      return "connect_black_holed";
    case FaultKind::reset:
      return "reset";
    case FaultKind::half_close:
      return "half_close";
    case FaultKind::stall:
      return "stall";
    case FaultKind::datagram_loss:
      return "datagram_loss";
    case FaultKind::datagram_duplication:
      return "datagram_duplication";
    case FaultKind::datagram_reordering:
      return "datagram_reordering";
    case FaultKind::split_read:
      return "split_read";
    case FaultKind::short_write:
      return "short_write";
    case FaultKind::receive_starvation:
      return "receive_starvation";
    case FaultKind::accept_aborted:
      return "accept_aborted";
    case FaultKind::accept_exhausted:
      return "accept_exhausted";
    case FaultKind::slow_blocking:
      return "slow_blocking";
  }
  return "?";
}

std::string_view to_string(HostChange change) noexcept {
  switch (change) {
    case HostChange::created:
      return "created";
    case HostChange::paused:
      return "paused";
    case HostChange::resumed:
      return "resumed";
    case HostChange::crashed:
      return "crashed";
    case HostChange::restarted:
      return "restarted";
  }
  return "?";
}

void Trace::keep(std::size_t lines) {
  limit_ = lines;
  next_ = 0;
  ring_.clear();
}

void Trace::remember(Entry entry) {
  if (ring_.size() < limit_) {
    ring_.push_back(std::move(entry));
    return;
  }
  ring_[next_] = std::move(entry);
  next_ = (next_ + 1) % limit_;
}

void Trace::remark(Instant at, std::string_view text) {
  std::uint64_t hash = text.size();
  for (const char byte : text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
  const std::size_t kept = std::exchange(limit_, 0);
  add(at, TraceKind::remark, hash);
  limit_ = kept;
  if (limit_ != 0) remember({at, TraceKind::remark, 0, 0, 0, std::string(text)});
}

std::string Trace::text() const {
  fmt::memory_buffer out;
  for (std::size_t index = 0; index < ring_.size(); ++index) {
    const Entry& entry = ring_[(next_ + index) % ring_.size()];
    fmt::format_to(std::back_inserter(out), "{:>14.6f}  ",
                   static_cast<double>(entry.at.nanoseconds()) / 1e9);
    switch (entry.kind) {
      case TraceKind::remark:
        fmt::format_to(std::back_inserter(out), "# {}\n", entry.text);
        break;
      case TraceKind::fault:
        fmt::format_to(std::back_inserter(out), "fault {} {}\n",
                       to_string(static_cast<FaultKind>(entry.a)), entry.b);
        break;
      case TraceKind::host:
        fmt::format_to(std::back_inserter(out), "host {} {}\n", entry.a,
                       to_string(static_cast<HostChange>(entry.b)));
        break;
      default:
        fmt::format_to(std::back_inserter(out), "{} {} {} {}\n", to_string(entry.kind), entry.a,
                       entry.b, entry.c);
    }
  }
  return fmt::to_string(out);
}

}  // namespace hawser::sim
