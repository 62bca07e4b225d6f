// The line to a program's observer: questions and answers, and what it tells by itself. Internal to
// the program; used from one plain thread.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/base/time.hpp>

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace hawser::app {

using Json = nlohmann::json;

class ObserveLink {
 public:
  /// `address`: "unix:/run/user/1000/hawser/4242.sock".
  explicit ObserveLink(std::string address);
  ObserveLink(const ObserveLink&) = delete;
  ObserveLink& operator=(const ObserveLink&) = delete;
  ~ObserveLink();

  /// Connects, and connects again for ever when the program goes. The error says why the first
  /// attempt failed; further ones follow all the same.
  Result<void> connect();
  bool connected() const;
  /// Changes with every new connection: what was asked for before is forgotten over there.
  std::uint64_t connection() const;
  /// Why there is no connection.
  std::string trouble() const;

  /// The answer's "ok". Errors: closed without a connection, timeout, failed with the observer's
  /// words.
  Result<Json> ask(Json request, Duration limit = 5s);
  /// Waits so long.
  void pause(Duration length);
  /// What came unasked since the last call; "lost" counts what did not find room.
  std::vector<Json> take_events();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hawser::app
