// A passive server: the handler is a coroutine that reads when it wants to, and a slow client's
// bytes wait in the kernel until then.
#include <hawser/hawser.hpp>
using namespace hawser;

Task<> echo(Connection& connection) {
  while (auto packet = co_await connection.receive(30s))
    if (!co_await connection.send(*packet)) break;
}

int main() {
  System system;
  system.start(passive_server("echo", {.listen = "127.0.0.1:7101", .framing = line()}, echo));
  return system.run();
}
