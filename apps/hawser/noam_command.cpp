// `hawser noam`: a host alone, or a lemma played by hand.
#include "commands.hpp"
#include "common.hpp"
#include "line_reader.hpp"
#include "noam_options.hpp"

#include <hawser/base/quantity.hpp>
#include <hawser/noam/lemma.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
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
    fmt::print("{} {} {}\n", event.sender, event.topic, event.value);
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
  static Duration rounded(Duration wait) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(wait);
  }
  static void say(std::string_view text) {
    fmt::print(stderr, "{}\n", text);
    std::fflush(stderr);
  }
};

/// "TOPIC JSON" to the lemma; what is wrong with the line, or "".
std::string speak_line(System& system, std::string_view line) {
  const std::size_t blank = line.find_first_of(" \t");
  if (blank == std::string_view::npos || blank == 0) return "a line is TOPIC JSON";
  const auto spoken = system.call(
      named<noam::Lemma>(system, "lemma"),
      noam::Speak(
          std::string(line.substr(0, blank)),
          std::string(line.substr(line.find_first_not_of(" \t", blank) == std::string_view::npos
                                      ? line.size()
                                      : line.find_first_not_of(" \t", blank)))));
  return spoken ? std::string{} : spoken.error().text();
}

/// Everything that was spoken has been seen by a host.
bool all_through(System& system) {
  const auto status = system.call(named<noam::Lemma>(system, "lemma"), noam::GetLemmaStatus{});
  return !status || (status->waiting_events == 0 && status->confirmed >= status->spoken);
}

int run_lemma(noam::LemmaOptions options, SystemOptions system_options) {
  hold_signals();
  System system(system_options);
  const bool hears = !options.hears.empty();
  if (auto started = system.start(noam::lemma<Console>("lemma", std::move(options))); !started)
    return print_failure("noam lemma", started.error().text());
  LineReader lines;
  lines.start(
      [&system](std::string_view line) {
        if (line.empty()) return;
        if (const std::string wrong = speak_line(system, line); !wrong.empty())
          fmt::print(stderr, "not spoken: {}\n", wrong);
      },
      // Who only speaks is done when a host has it all.
      [&system, hears] {
        if (hears) return false;
        if (!all_through(system)) return true;
        system.request_stop();
        return false;
      });
  const int status = system.run();
  lines.stop();
  return status;
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
      "seen all of stdin.\n\n"
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
  const auto place = [command](const std::string& name, const std::string& help,
                               const std::function<void(Address)>& put) {
    command
        ->add_option_function<std::vector<std::string>>(
            name,
            [name, put](const std::vector<std::string>& texts) {
              for (const std::string& text : texts) {
                auto address = Address::parse(text);
                if (!address || address->is_unix() || address->port() == 0)
                  throw CLI::ValidationError(name, "'" + text + "' is no ADDRESS:PORT");
                put(*std::move(address));
              }
            },
            help)
        ->type_name("ADDRESS")
        ->allow_extra_args(false);
  };
  place("--discover", "ask this host too, and nobody by broadcast; may be repeated",
        [options](Address address) {
          options->discover.push_back(std::move(address));
          options->broadcast = false;
        });
  place("--host", "no discovery: register there",
        [options](Address address) { options->host = std::move(address); });
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
