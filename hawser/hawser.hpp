// Everything a program needs to serve connections: one include. Public. The protocols have their
// own headers (hawser/stomp/…), so that who does not use one does not compile it.
#pragma once

#include <hawser/net/connection.hpp>
#include <hawser/net/framing.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/net/server.hpp>
#include <hawser/process/child_spec.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/system.hpp>
#include <hawser/process/task.hpp>
