// Forward declarations of the net layer. Public.
#pragma once

namespace hawser {

class Connection;
class ConnectionGroup;
class ConnectionLimit;
class CustomFraming;
class Framing;
class Transport;
struct ConnectionInfo;
struct ConnectionOptions;
struct Cut;
struct Packet;
struct ServerOptions;
struct ServerStatus;

}  // namespace hawser
