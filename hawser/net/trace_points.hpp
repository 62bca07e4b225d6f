// The events of servers, connections, clients and pools that Telemetry subscribers get, with their
// figures. Public; names only. Single packets are not among them: they are traced connection by
// connection (TraceKind::packet_in, packet_out), and counted in ServerStatus.
#pragma once

#include <hawser/process/telemetry.hpp>

namespace hawser::trace_point {

// ---- listeners; the source is the server's name ------------------------------------------------
inline constexpr TracePoint listener_started{"listener.started"};  ///< also with a new socket
inline constexpr TracePoint listener_suspended{"listener.suspended"};
inline constexpr TracePoint listener_resumed{"listener.resumed"};
inline constexpr TracePoint listener_draining{"listener.draining"};
inline constexpr TracePoint listener_stopped{"listener.stopped"};
/// One failed accept (ECONNABORTED, EMFILE, …). Measures: errno.
inline constexpr TracePoint accept_failed{"accept.failed"};
/// The same in words, once in ten seconds for each kind.
inline constexpr TracePoint accept_errors{"accept.errors"};

// ---- connections -------------------------------------------------------------------------------
inline constexpr TracePoint connection_accepted{"connection.accepted"};
/// At the limit, or for want of descriptors.
inline constexpr TracePoint connection_refused{"connection.refused"};
/// Its process is there; its transports begin.
inline constexpr TracePoint connection_started{"connection.started"};
/// Its handler is there. Measures: handshake_ns, since it was started (0 without transports).
inline constexpr TracePoint connection_ready{"connection.ready"};
/// It ended before that. Measures: age_ns.
inline constexpr TracePoint connection_handshake_failed{"connection.handshake_failed"};
/// Unsent bytes are at the high-water mark: it does not read. Measures: unsent.
inline constexpr TracePoint connection_paused{"connection.paused"};
/// It has ended; the text says why. Measures: age_ns, packets_in, packets_out, bytes_in, bytes_out,
/// unsent, reason (a Reason::Kind).
inline constexpr TracePoint connection_ended{"connection.ended"};
/// Bytes that were queued on it will never leave: they had not by the flush deadline or a drain's,
/// it was killed or reset, or its peer had gone. Perhaps some time after connection.ended, whose
/// `unsent` says what was still to leave then. Measures: bytes.
inline constexpr TracePoint connection_bytes_lost{"connection.bytes_lost"};
/// Connections that a server could not start, told once in ten seconds.
inline constexpr TracePoint connections_not_started{"connections.not_started"};
/// A drain, by scheduler. Measures: connections; waiting, for room among them.
inline constexpr TracePoint connections_draining{"connections.draining"};
/// What the drain deadline has killed, by scheduler. Measures: killed, cut_off; refused: waited for
/// room in vain.
inline constexpr TracePoint connections_killed{"connections.killed"};

// ---- servers: each ServerEvent. Measures: count ------------------------------------------------
inline constexpr TracePoint server_suspended{"server.suspended"};
inline constexpr TracePoint server_resumed{"server.resumed"};
inline constexpr TracePoint server_accept_paused{"server.accept_paused"};
inline constexpr TracePoint server_accept_resumed{"server.accept_resumed"};
inline constexpr TracePoint server_alarm_raised{"server.alarm_raised"};
inline constexpr TracePoint server_alarm_cleared{"server.alarm_cleared"};
inline constexpr TracePoint server_drain_started{"server.drain_started"};
inline constexpr TracePoint server_connections_gone{"server.connections_gone"};
inline constexpr TracePoint server_drain_deadline{"server.drain_deadline"};
inline constexpr TracePoint server_killed{"server.killed"};
inline constexpr TracePoint server_down{"server.down"};

// ---- clients and pools -------------------------------------------------------------------------
/// connecting, connected or waiting. Measures: attempt, wait_ns.
inline constexpr TracePoint client_state{"client.state"};
/// A pool's member is connected, away, ended or dropped. Measures: member.
inline constexpr TracePoint pool_member{"pool.member"};

}  // namespace hawser::trace_point
