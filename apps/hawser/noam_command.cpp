// `hawser noam`: a host alone, or a lemma played by hand.
#include "commands.hpp"
#include "common.hpp"
#include "line_reader.hpp"
#include "noam_options.hpp"

#include <hawser/base/quantity.hpp>
#include <hawser/noam/json.hpp>
#include <hawser/noam/lemma.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace hawser::app {
namespace {

int run_host(NoamChoice choice, SystemOptions system_options) {
  hold_signals();
  System system(system_options);
  const bool has_room = choice.room.has_value();
  const auto ready = start_noam(system, std::move(choice));
  if (!ready) return print_failure("noam host", ready.error().text());
  print_ready(system, *ready);
  print_hint(has_room ? "try: hawser noam lemma --guest me --room ROOM --hear light --speak light"
                      : "no --room: nobody is answered until the operator's API names one");
  return system.run();
}

// ---- a lemma
// ------------------------------------------------------------------------------------------

/// Events to stdout, what discovery and connection do to stderr.
class Console {
 public:
  void handle_heard(const noam::Event& event) {
    std::string value = event.value;
    // Between a value's parts; within its strings there are none.
    std::ranges::replace_if(value, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    fmt::print("{} {} {}\n", word(event.sender), word(event.topic), value);
    std::fflush(stdout);
  }
  void handle_state(const noam::LemmaChange& change) {
    switch (change.state) {
      case noam::LemmaState::discovering:
        say("looking for a host");
        break;
      case noam::LemmaState::waiting:
        say(fmt::format("waiting {}: {}", duration_text(rounded(change.wait)),
                        change.reason.text()));
        break;
      default:
        say(fmt::format("{} {}", to_string(change.state), change.host.text()));
    }
  }
  void handle_loss(const noam::EventLoss& loss) {
    const bool dropped = loss.why == noam::EventLoss::Why::dropped;
    say(fmt::format(
        "{} event{} {}", loss.count(), loss.count() == 1 ? "" : "s",
        dropped ? "dropped: the queue is full" : "may not have arrived: the host was lost"));
  }
  void handle_oddity(noam::Oddity oddity) {
    say(fmt::format("the host sent {}", to_string(oddity)));
  }

 private:
  /// A name as one word of a line: one with blanks, or that would be taken for something else, as a
  /// JSON string.
  static std::string word(const std::string& name) {
    const bool plain =
        !name.empty() && name.front() != '"' &&
        std::ranges::none_of(name, [](unsigned char c) { return c <= ' ' || c == 127; });
    return plain ? name : noam::json_string(name, false);
  }
  static Duration rounded(Duration wait) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(wait);
  }
  static void say(std::string_view text) {
    fmt::print(stderr, "{}\n", text);
    std::fflush(stderr);
  }
};

/// "TOPIC JSON", or "\"TOPIC WITH BLANKS\" JSON"; nothing when it is neither.
std::optional<noam::Speak> speak_of(std::string_view line) {
  std::size_t end = line.find_first_of(" \t");
  if (line.starts_with('"')) {
    for (end = 1; end < line.size() && line[end] != '"'; ++end)
      if (line[end] == '\\') ++end;
    end = std::min(end + 1, line.size());
  }
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  std::string topic(line.substr(0, end));
  if (topic.starts_with('"')) {
    if (!noam::check_json(topic)) return std::nullopt;
    topic = noam::json_to_string(topic).value_or("");
  }
  const std::size_t value = line.find_first_not_of(" \t", end);
  if (value == std::string_view::npos) return std::nullopt;
  return noam::Speak(std::move(topic), std::string(line.substr(value)));
}

/// Lines to the lemma, as its queue has room for them.
class Script {
 public:
  Script(System& system, const noam::LemmaOptions& options)
      : system_(system),
        lemma_(named<noam::Lemma>(system, "lemma")),
        events_(options.queue_events),
        bytes_(options.queue_bytes),
        hears_(!options.hears.empty()) {}

  /// False: the queue is full, the line is to be given again.
  bool line(std::string_view text) {
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty()) return true;
    auto speak = speak_of(text);
    if (!speak) {
      refuse("a line is TOPIC JSON");
      return true;
    }
    // On its way a character may be six.
    const std::size_t size = 6 * text.size() + 8'192;
    if (!has_room(size)) return false;
    const auto spoken = system_.call(lemma_, *std::move(speak));
    if (spoken) {
      last_ = *spoken;
    } else {
      refuse(spoken.error().text());
    }
    return true;
  }

  /// After the last line: who only speaks is done when a host has it all. False: done.
  bool goes_on() {
    if (hears_) return false;
    const auto status = system_.call(lemma_, noam::GetLemmaStatus{});
    if (status && (status->waiting_events != 0 || status->confirmed < last_)) {
      (void)lemma_.cast(noam::Confirm{});
      return true;
    }
    if (status && status->dropped + status->in_doubt != 0) all_well_ = false;
    system_.request_stop();
    return false;
  }

  bool all_well() const noexcept { return all_well_; }

 private:
  bool has_room(std::size_t size) {
    if (room_events_ == 0 || room_bytes_ < size) {
      const auto status = system_.call(lemma_, noam::GetLemmaStatus{});
      if (!status) return true;  // it says why by itself
      room_events_ = events_ - std::min(events_, status->waiting_events);
      room_bytes_ = bytes_ - std::min(bytes_, status->waiting_bytes);
      if (room_events_ == 0 || (room_bytes_ < size && status->waiting_events != 0)) return false;
    }
    --room_events_;
    room_bytes_ -= std::min(room_bytes_, size);
    return true;
  }
  void refuse(std::string_view why) {
    all_well_ = false;
    fmt::print(stderr, "not spoken: {}\n", why);
  }

  System& system_;
  Named<noam::Lemma> lemma_;
  std::size_t events_;
  std::size_t bytes_;
  bool hears_;
  std::size_t room_events_ = 0;
  std::size_t room_bytes_ = 0;
  std::uint64_t last_ = 0;
  bool all_well_ = true;
};

int run_lemma(noam::LemmaOptions options, SystemOptions system_options) {
  if (const auto faults = options.faults(); !faults.empty()) {
    print_failure("noam lemma", fmt::format("{}", fmt::join(faults, "; ")));
    return wrong_usage;
  }
  hold_signals();
  System system(system_options);
  Script script(system, options);
  if (auto started = system.start(noam::lemma<Console>("lemma", std::move(options))); !started)
    return print_failure("noam lemma", started.error().text());
  LineReader lines;
  lines.start([&script](std::string_view line) { return script.line(line); },
              [&script] { return script.goes_on(); });
  const int status = system.run();
  lines.stop();
  return status == 0 && !script.all_well() ? 1 : status;
}

void add_host(CLI::App& noam, const Chosen& chosen) {
  CLI::App* command = noam.add_subcommand("host", "A host: hawser hub with nothing else in it");
  command->footer(
      "When everything listens, one line on stdout says so:\n"
      "  ready noam=0.0.0.0:7733 noam-discovery=0.0.0.0:1030 … engine=uring pid=4242\n\n"
      "Example:\n  hawser noam host --room lab\n");
  const auto choice = std::make_shared<NoamChoice>();
  const auto system = std::make_shared<SystemOptions>();
  const auto table = std::make_shared<OptionTable>(*command);
  choice->alone = true;
  add_noam_options(*table, *choice);
  add_system_options(*table, *system);
  command->callback([=] {
    (void)table;
    chosen([=] { return run_host(*choice, *system); });
  });
}

void add_lemma(CLI::App& noam, const Chosen& chosen) {
  CLI::App* command = noam.add_subcommand("lemma",
                                          "A lemma: lines TOPIC JSON in, SENDER TOPIC "
                                          "JSON out");
  command->footer(
      "What discovery and connection do is told on stderr. Without --hear it ends when a host has\n"
      "seen all of stdin; exit code 1: a line was not spoken, or an event may not have arrived.\n"
      "Names with blanks are written as JSON strings: \"my topic\" 1\n\n"
      "Examples:\n"
      "  hawser noam lemma --guest desk --room lab --hear light\n"
      "  echo 'light {\"on\":true}' | hawser noam lemma --guest switch --room lab --speak light\n");
  const auto options = std::make_shared<noam::LemmaOptions>();
  const auto system =
      std::make_shared<SystemOptions>(SystemOptions{.schedulers = 1, .log_level = LogLevel::error});
  const auto table = std::make_shared<OptionTable>(*command);
  command->add_option("--guest", options->guest, "our name, unique in the room")
      ->required()
      ->type_name("NAME");
  command->add_option("--room", options->room, "the host's room; \"\": a free guest")
      ->required()
      ->type_name("NAME");
  command->add_option("--hear", options->hears, "topics to print; several words, or repeated")
      ->type_name("TOPIC");
  command->add_option("--speak", options->speaks, "topics that we say we play; any may be spoken")
      ->type_name("TOPIC");
  const auto read_address = [](const std::string& name, const std::string& text) {
    auto address = Address::parse(text);
    if (!address || address->is_unix() || address->port() == 0)
      throw CLI::ValidationError(name, "'" + text + "' is no ADDRESS:PORT");
    return *std::move(address);
  };
  command
      ->add_option_function<std::vector<std::string>>(
          "--discover",
          [options, read_address](const std::vector<std::string>& texts) {
            for (const std::string& text : texts)
              options->discover.push_back(read_address("--discover", text));
            options->broadcast = false;
          },
          "ask this host, and nobody by broadcast; may be repeated")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  command
      ->add_option_function<std::string>(
          "--host",
          [options, read_address](const std::string& text) {
            options->host = read_address("--host", text);
          },
          "no discovery: register there")
      ->type_name("ADDRESS");
  table->add_choice(
      "transport", options->transport,
      {{"tcp", noam::LemmaTransport::tcp}, {"websocket", noam::LemmaTransport::websocket}},
      "how to talk to the host");
  table->add_duration("heartbeat", options->heartbeat, "between two heart-beats");
  table->add_duration("watchdog", options->watchdog,
                      "a host that is silent for so long is lost; 0s: never");
  add_system_options(*table, *system);
  command->callback([=] {
    (void)table;
    chosen([=] { return run_lemma(*options, *system); });
  });
}

}  // namespace

void add_noam_command(CLI::App& app, const Chosen& chosen) {
  CLI::App* noam = app.add_subcommand("noam", "A Noam host, or a lemma for scripts");
  noam->require_subcommand(1);
  add_host(*noam, chosen);
  add_lemma(*noam, chosen);
}

}  // namespace hawser::app
