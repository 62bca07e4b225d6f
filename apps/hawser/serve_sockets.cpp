// systemd's environment, descriptors by number, and the hand-over's two sides.
#include "serve_sockets.hpp"

#include <hawser/base/log.hpp>
#include <hawser/net/listener_handover.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser::app {
namespace {

constexpr std::string_view by_systemd = "systemd:";
constexpr std::string_view by_number = "fd:";

std::optional<int> descriptor_number(std::string_view listen) {
  int number = -1;
  const char* const end = listen.data() + listen.size();
  const auto read = std::from_chars(listen.data() + by_number.size(), end, number);
  if (read.ec != std::errc{} || read.ptr != end || number < 0) return std::nullopt;
  return number;
}

}  // namespace

OptionTable::Read read_serve_address(std::string& target) {
  return [&target](std::string_view text) -> std::string {
    if (text.starts_with(by_systemd)) {
      if (text.size() == by_systemd.size())
        return "'systemd:' needs a FileDescriptorName behind it";
    } else if (text.starts_with(by_number)) {
      if (!descriptor_number(text))
        return fmt::format("'{}' is no number of a descriptor, such as fd:3", text);
    } else if (const auto address = Address::parse(text); !address) {
      return address.error().text();
    }
    target = text;
    return {};
  };
}

Result<ServeSockets> ServeSockets::gather(const std::string& listen, const std::string& handover,
                                          const std::string& server) {
  ServeSockets made;
  made.handover_ = handover;
  made.environment_ = take_service_environment();
  auto inherited = systemd_sockets(made.environment_, getpid());
  if (!inherited) return std::unexpected(std::move(inherited.error()));
  if (listen.starts_with(by_number)) {
    auto given = inherited_descriptor(*descriptor_number(listen));
    if (!given) return std::unexpected(std::move(given.error()));
    inherited->push_back(*std::move(given));
  }
  if (!handover.empty()) {
    auto over = TakeOver::begin(handover);
    if (over) {
      const bool by_name = listen.starts_with(by_systemd);
      for (InheritedSocket& each : over->take_sockets()) {
        // The old program calls it by its server, systemd by the unit's name.
        if (by_name && each.name == server) each.name = listen.substr(by_systemd.size());
        inherited->push_back(std::move(each));
      }
      made.over_ = *std::move(over);
    } else if (over.error().kind != ErrorKind::not_found &&
               over.error().kind != ErrorKind::refused) {
      return std::unexpected(std::move(over.error()));
    }
  }
  made.exchange_ = std::make_shared<SocketExchange>(*std::move(inherited));
  return made;
}

Result<void> ServeSockets::serving(System& system, Log& log) {
  for (const std::string& name : exchange_->unused())
    log.warning("serve", fmt::format("the inherited socket '{}' is not used", name));
  if (over_) {
    if (auto confirmed = over_->confirm()) {
      exchange_->settle();
    } else {
      // We serve all the same; it may have ended by itself.
      log.warning("serve",
                  fmt::format("the program before this one: {}", confirmed.error().text()));
    }
    over_.reset();
  }
  if (!handover_.empty()) {
    HandoverOptions options;
    options.path = handover_;
    options.sockets = exchange_;
    if (auto started = system.start(listener_handover("handover", std::move(options))); !started)
      return std::unexpected(std::move(started.error()));
  }
  if (auto told = notify_service(environment_, "READY=1"); !told)
    log.warning("serve", told.error().text());
  return {};
}

}  // namespace hawser::app
