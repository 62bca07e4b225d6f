// Commands by name. Matching goes by length first: it runs once for every frame received.
#include <hawser/stomp/command.hpp>

namespace hawser::stomp {

BytesView to_string(Command command) noexcept {
  switch (command) {
    case Command::unknown:
      return "UNKNOWN";
    case Command::stomp:
      return "STOMP";
    case Command::connect:
      return "CONNECT";
    case Command::connected:
      return "CONNECTED";
    case Command::send:
      return "SEND";
    case Command::subscribe:
      return "SUBSCRIBE";
    case Command::unsubscribe:
      return "UNSUBSCRIBE";
    case Command::ack:
      return "ACK";
    case Command::nack:
      return "NACK";
    case Command::begin:
      return "BEGIN";
    case Command::commit:
      return "COMMIT";
    case Command::abort:
      return "ABORT";
    case Command::disconnect:
      return "DISCONNECT";
    case Command::message:
      return "MESSAGE";
    case Command::receipt:
      return "RECEIPT";
    case Command::error:
      return "ERROR";
  }
  return "UNKNOWN";
}

Command find_command(BytesView name) noexcept {
  const auto is = [name](Command command) {
    return name == to_string(command) ? command : Command::unknown;
  };
  if (name.size() < 3) return Command::unknown;
  switch (name.size()) {
    case 3:
      return is(Command::ack);
    case 4:
      return name[0] == 'S' ? is(Command::send) : is(Command::nack);
    case 5:
      switch (name[0]) {
        case 'S':
          return is(Command::stomp);
        case 'B':
          return is(Command::begin);
        case 'A':
          return is(Command::abort);
        default:
          return is(Command::error);
      }
    case 6:
      return is(Command::commit);
    case 7:
      switch (name[0]) {
        case 'M':
          return is(Command::message);
        case 'C':
          return is(Command::connect);
        default:
          return is(Command::receipt);
      }
    case 9:
      return name[0] == 'S' ? is(Command::subscribe) : is(Command::connected);
    case 10:
      return is(Command::disconnect);
    case 11:
      return is(Command::unsubscribe);
    default:
      return Command::unknown;
  }
}

}  // namespace hawser::stomp
