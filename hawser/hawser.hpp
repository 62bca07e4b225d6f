// Everything a program needs to serve connections: one include. Public. The protocols have their
// own headers (hawser/stomp/…), so that who does not use one does not compile it.
#pragma once

#include <hawser/net/client.hpp>
#include <hawser/net/connection.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/net/passive.hpp>
#include <hawser/net/pool.hpp>
#include <hawser/net/proxy_protocol.hpp>
#include <hawser/net/server.hpp>
#include <hawser/net/server_control.hpp>
#include <hawser/net/tls/tls_context.hpp>
#include <hawser/net/tls/tls_hello.hpp>
#include <hawser/net/tls/tls_transport.hpp>
#include <hawser/net/transport.hpp>
#include <hawser/net/websocket/websocket.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/group.hpp>
#include <hawser/process/named.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/system.hpp>
#include <hawser/process/task.hpp>
