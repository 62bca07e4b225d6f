// One request of the operator's API (noam.md 9.3): the original host's paths and JSON. Internal to
// the layer.
#pragma once

#include <hawser/net/http_reader.hpp>
#include <hawser/net/packet.hpp>
#include <hawser/noam/detail/room_process.hpp>
#include <hawser/process/next.hpp>
#include <hawser/process/task.hpp>

#include <memory>
#include <string>

namespace hawser::noam::detail {

class OperatorConnection {
 public:
  OperatorConnection(std::string room, std::shared_ptr<const HostOptions> options)
      : room_name_(std::move(room)), options_(std::move(options)) {}

  Next init();
  Next handle_packet(Packet bytes);
  Next handle_timer(std::string_view timer);

 private:
  Task<void> answer();
  Task<HttpResponse> respond();
  /// Waits until one of the two lists has changed since the query's `time`, or poll_timeout.
  Task<HttpResponse> poll(bool guests);
  HttpResponse method_not_allowed(std::string_view allowed) const;

  std::string room_name_;
  std::shared_ptr<const HostOptions> options_;  // one for all connections of the host
  Ref<RoomProcess> room_;
  HttpReader reader_{HttpReader::Of::request, {.head = 16'384, .body = 65'536}};
  bool answering_ = false;
};

}  // namespace hawser::noam::detail
