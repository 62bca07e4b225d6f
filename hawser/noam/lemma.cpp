// The handler's side: events are framed here, so that the link only passes them on.
#include <hawser/noam/detail/lemma_link.hpp>
#include <hawser/noam/lemma.hpp>

#include <hawser/base/check.hpp>
#include <hawser/base/utf8.hpp>
#include <hawser/process/self.hpp>
#include <hawser/process/spawn.hpp>
#include <hawser/process/supervisor.hpp>
#include <hawser/process/system.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace hawser::noam {

using detail::LemmaLink;

Lemma& lemma() {
  auto* found = static_cast<Lemma*>(self().process().handler(type_info<Lemma>));
  check(found != nullptr, "noam::lemma() is called from a callback or task of a lemma");
  return *found;
}

namespace {
Result<Payload> framed_event(const LemmaOptions& options, BytesView topic, BytesView value) {
  constexpr MessageLimits limits;
  if (topic.size() > limits.topic) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "noam speak",
                                 fmt::format("a topic has at most {} bytes", limits.topic)});
  }
  if (!is_utf8(topic)) {
    return std::unexpected(
        Error{ErrorKind::invalid_argument, 0, "noam speak", "the topic is not UTF-8"});
  }
  auto event = encode_event(options.guest, topic, value, options.ascii);
  if (!event) return std::unexpected(std::move(event.error()));
  auto framed = frame(*event);
  if (!framed) return std::unexpected(std::move(framed.error()));
  return Payload(*framed);
}
}  // namespace

Result<void> Lemma::speak(BytesView topic, BytesView value) {
  auto framed = framed_event(*options_, topic, value);
  if (!framed) return std::unexpected(std::move(framed.error()));
  Ref<LemmaLink>(link_).cast(LemmaLink::SpeakFrame{*std::move(framed)});
  return {};
}

void Lemma::handle_cast(Speak message) {
  // Whoever wants to know why an event was refused asks by call.
  if (auto spoken = speak(message.topic, message.value); !spoken)
    count_unexpected(spoken.error().text());
}

void Lemma::handle_cast(Confirm message) { Ref<LemmaLink>(link_).cast(message); }

void Lemma::handle_cast(Rediscover message) { Ref<LemmaLink>(link_).cast(message); }

void Lemma::handle_call(Speak message, From<std::uint64_t> from) {
  auto framed = framed_event(*options_, message.topic, message.value);
  if (!framed) {
    from.fail(std::move(framed.error()));
    return;
  }
  Ref<LemmaLink>(link_).cast(LemmaLink::OfferFrame(*std::move(framed), std::move(from)));
}

void Lemma::handle_call(GetLemmaStatus, From<LemmaStatus> from) {
  Ref<LemmaLink>(link_).cast(LemmaLink::Ask(std::move(from)));
}

void Lemma::attach() { Ref<LemmaLink>(link_).cast(LemmaLink::Attach{pid()}); }

void Lemma::state_changed(const LemmaChange& change) {
  state_ = change.state;
  deliver_state(change);
}

namespace detail {

ChildSpec lemma_spec(std::string name, LemmaOptions options, StartLemma start) {
  ChildSpec spec;
  spec.id = name;
  spec.supervisor = true;
  spec.shutdown = Duration::max();
  auto shared = std::make_shared<const LemmaOptions>(std::move(options));
  spec.start = [name, shared,
                start = std::move(start)](const StartContext& context) -> Result<Pid> {
    if (const auto faults = shared->faults(); !faults.empty()) {
      return std::unexpected(Error{ErrorKind::invalid_argument, 0, "start lemma " + name,
                                   fmt::format("{}", fmt::join(faults, "; "))});
    }
    const std::string link_name = name + "/link";
    ChildSpec link;
    link.id = link_name;
    link.start = [link_name, shared](const StartContext& at) -> Result<Pid> {
      auto spawned = spawn<LemmaLink>(
          at.scheduler, SpawnOptions{.name = link_name, .parent = at.parent}, link_name, shared);
      if (!spawned) return std::unexpected(std::move(spawned.error()));
      return spawned->pid();
    };
    ChildSpec handler;
    handler.id = name;
    handler.start = [start, shared, link_name](const StartContext& at) -> Result<Pid> {
      return start(at, shared, at.scheduler.system().whereis(link_name));
    };
    SupervisorOptions children;
    children.strategy = Strategy::rest_for_one;
    children.intensity = 10;
    children.period = 10s;
    children.children = {std::move(link), std::move(handler)};
    return supervisor(name, std::move(children)).start(context);
  };
  return spec;
}

}  // namespace detail
}  // namespace hawser::noam
