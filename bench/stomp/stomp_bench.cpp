// Running the comparison: a hub for each scenario, the rounds in turn, the bars.
#include <bench/load/clock.hpp>
#include <bench/load/figures.hpp>
#include <bench/load/server_process.hpp>
#include <bench/stomp/idle_crowd.hpp>
#include <bench/stomp/loads.hpp>
#include <bench/stomp/stomp_bench.hpp>

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string_view>
#include <utility>

namespace hawser::bench {

namespace {

std::string machine_text() {
  std::string processor = "unknown processor";
  if (const auto text = read_file("/proc/cpuinfo")) {
    const std::size_t key = text->find("model name");
    const std::size_t colon = key == std::string::npos ? key : text->find(": ", key);
    if (colon != std::string::npos)
      processor = text->substr(colon + 2, text->find('\n', colon) - colon - 2);
  }
  utsname names = {};
  std::string kernel = "?";
  if (uname(&names) == 0) kernel = fmt::format("{} {}", names.sysname, names.release);
  std::string load = "?";
  if (const auto text = read_file("/proc/loadavg")) load = text->substr(0, text->find(' '));
  return fmt::format("{}, {}, {} CPUs, load average {} at the start", processor, kernel,
                     usable_cpus(), load);
}

double megabytes(std::uint64_t before, std::uint64_t after) {
  return (static_cast<double>(after) - static_cast<double>(before)) / 1e6;
}

class StompRun {
 public:
  StompRun(const StompPlan& plan, const Progress& progress) : plan_(plan), progress_(progress) {
    report_.plan = plan;
    report_.machine = machine_text();
    folder_ = fmt::format("{}/hawser-bench-stomp-{}", plan.folder, getpid());
  }

  StompReport run() {
    for (const StompScenario& scenario : stomp_scenarios()) {
      if (!plan_.scenarios.empty() &&
          std::ranges::find(plan_.scenarios, scenario.name) == plan_.scenarios.end())
        continue;
      outcome_ = {};
      outcome_.scenario = scenario;
      perform(scenario.name);
      hubs_.clear();
      report_.outcomes.push_back(std::move(outcome_));
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    return std::move(report_);
  }

 private:
  using MakeFlow = std::function<Flow(const Broker&, const std::string&)>;
  enum class Per : unsigned char { message, delivery };
  static constexpr const char* one_scheduler = "hawser, 1 scheduler";

  void perform(const std::string& name) {
    if (name == "transient") return transient();
    if (name == "fan-out") return fan_out();
    if (name == "persistent") return persistent(true);
    if (name == "stored") return persistent(false);
    if (name == "routing") return routing();
    if (name == "slow") return slow();
    idle();
  }

  // ---- brokers

  struct Hub {
    std::string name;
    ServerProcess process;
  };

  /// A hub of ours, with these words more; the error is a row.
  void start_hub(std::string_view words, const std::string& name = "hawser") {
    const auto command = split_command(
        fmt::format("{} --stomp 127.0.0.1:0 --packet none --log-level error {}", plan_.hub, words));
    ServerOptions options;
    options.ready_field = "stomp";
    auto process = command ? ServerProcess::start(*command, options)
                           : Result<ServerProcess>(std::unexpected(command.error()));
    if (process) {
      hubs_.push_back({name, std::move(*process)});
      return;
    }
    Broker failed;
    failed.name = name;
    failed.own = true;
    StompRow& row = this->row(failed, "");
    row.error = "did not come up: " + process.error().text();
    tell(row, row.error);
  }

  /// As it starts by default, and with one scheduler: two that share their cores with the load
  /// tell more about the cores than about the hub.
  void start_both_hubs() {
    start_hub("--data :memory:");
    if (!schedulers_chosen()) start_hub("--data :memory: --schedulers 1", one_scheduler);
  }
  bool schedulers_chosen() const { return plan_.hub.find("--schedulers") != std::string::npos; }

  /// Ours first, then those of the others that shall take part.
  std::vector<Broker> brokers(bool stomp_only) const {
    std::vector<Broker> all;
    for (const Hub& hub : hubs_) {
      Broker own;
      own.name = hub.name;
      own.at = hub.process.ready().address;
      own.pid = hub.process.ready().pid;
      own.own = true;
      all.push_back(own);
    }
    for (const Broker& other : plan_.others) {
      if (!stomp_only || other.language == Language::stomp) all.push_back(other);
    }
    return all;
  }

  StompRow& row(const Broker& broker, const std::string& variant) {
    for (StompRow& known : outcome_.rows)
      if (known.broker == broker.name && known.variant == variant) return known;
    StompRow& made = outcome_.rows.emplace_back();
    made.broker = broker.name;
    made.own = broker.own;
    made.variant = variant;
    return made;
  }

  std::string fresh_name() { return fmt::format("bench{}.r{}", getpid(), ++names_); }

  // ---- measuring

  void measure(const Broker& broker, const std::string& variant, Per per, const MakeFlow& make) {
    StompRow& target = row(broker, variant);
    if (!target.error.empty()) return;
    for (Hub& hub : hubs_) hub.process.drain_output();
    const auto result = run_flow(broker, make(broker, fresh_name()));
    if (!result) {
      target.error = result.error().text();
      for (Hub& hub : hubs_)
        if (hub.name == broker.name && !hub.process.running())
          target.error += fmt::format("; it has ended: {}", hub.process.last_words());
      tell(target, target.error);
      return;
    }
    const bool deliveries = per == Per::delivery;
    const double units = static_cast<double>(deliveries ? result->deliveries : result->messages);
    target.rates.push_back(units / result->seconds);
    target.cpu.push_back(deliveries ? result->per_delivery() : result->per_message());
    target.client.push_back(to_seconds(result->producer + result->consumer) * 1e6 / units);
    target.memory = std::max(target.memory, megabytes(result->memory_before, result->memory_most));
    tell(target, fmt::format("{:.0f}/s, {:.3f} us of the broker each", target.rates.back(),
                             target.cpu.back()));
  }

  /// Every broker in each round, each round beginning with another.
  void rounds(const std::vector<Broker>& all, Per per, const MakeFlow& make) {
    for (unsigned round = 0; round < plan_.rounds; ++round)
      for (std::size_t i = 0; i < all.size(); ++i)
        measure(all[(i + round) % all.size()], "", per, make);
  }

  void tell(const StompRow& about, const std::string& what) const {
    if (!progress_) return;
    progress_(fmt::format("{}: {}{}{}: {}", outcome_.scenario.name, about.broker,
                          about.variant.empty() ? "" : ", ", about.variant, what));
  }

  const StompRow* own_row(const std::string& variant, std::string_view name = "hawser") const {
    for (const StompRow& known : outcome_.rows)
      if (known.own && known.broker == name && known.variant == variant && !known.rates.empty())
        return &known;
    return nullptr;
  }

  /// Of our two, the one with the higher rate.
  const StompRow* faster_row() const {
    const StompRow* one = own_row("", one_scheduler);
    const StompRow* own = own_row("");
    return one != nullptr && (own == nullptr || one->rate() > own->rate()) ? one : own;
  }

  void bar(std::string what, double measured, double bound, bool at_most, std::string note = {}) {
    report_.bars.push_back(
        {outcome_.scenario.name, std::move(what), measured, bound, at_most, std::move(note)});
  }

  // ---- the scenarios

  void transient() {
    start_both_hubs();
    rounds(brokers(false), Per::message, [this](const Broker& broker, const std::string& name) {
      return queue_flow(plan_, broker, name);
    });
    const StompRow* one = own_row("", one_scheduler);
    const StompRow* own = one == nullptr ? own_row("") : one;
    if (own == nullptr) return;
    const StompRow* fast = faster_row();
    bar("messages a second, " + fast->broker, fast->rate(), 1'000'000, false);
    bar("us of the hub a message, " + own->broker, own->cost(), 0.8, true);
  }

  void fan_out() {
    start_both_hubs();
    rounds(brokers(false), Per::delivery, [this](const Broker& broker, const std::string& name) {
      return fan_out_flow(plan_, broker, name);
    });
    const StompRow* own = faster_row();
    if (own != nullptr) bar("deliveries a second, " + own->broker, own->rate(), 3'000'000, false);
  }

  void persistent(bool taken) {
    std::error_code ignored;
    const auto start = [&](std::string_view words, const std::string& name, std::string_view at) {
      const std::string data = fmt::format("{}/{}", folder_, at);
      std::filesystem::remove_all(data, ignored);
      std::filesystem::create_directories(data, ignored);
      start_hub(fmt::format("--data \"{}\" --queue-messages 100000000 --queue-bytes 100GB {}", data,
                            words),
                name);
    };
    std::vector<double> flushes;
    const auto flush = [&] {
      if (const auto rate = flush_rate(folder_, std::min<Duration>(plan_.duration, 300ms)))
        flushes.push_back(*rate);
    };
    start("", "hawser", "data");
    if (!schedulers_chosen()) start("--schedulers 1", one_scheduler, "data-1");
    const auto all = brokers(true);
    for (unsigned round = 0; round < plan_.rounds; ++round)
      for (std::size_t i = 0; i < all.size(); ++i) {
        flush();
        measure(all[(i + round) % all.size()], "", Per::message,
                [&](const Broker& broker, const std::string& name) {
                  return persistent_flow(plan_, broker, name, taken);
                });
      }
    hubs_.clear();
    const double disk = median_of(flushes) * static_cast<double>(plan_.receipts);
    outcome_.notes.push_back(
        fmt::format("the disk makes {:.0f} appends of 4 KiB a second safe one by one; times {} "
                    "under way: {:.0f}",
                    median_of(flushes), plan_.receipts, disk));
    const StompRow* own = faster_row();
    if (own == nullptr) return;
    double bound = disk;
    std::string note = "the disk's flushes x batch";
    for (const StompRow& other : outcome_.rows)
      if (other.broker == "rabbitmq" && !other.rates.empty() && 20 * other.rate() < bound) {
        bound = 20 * other.rate();
        note = "20 x RabbitMQ";
      }
    bar("messages a second, " + own->broker, own->rate(), bound, false, note);
  }

  void routing() {
    constexpr std::pair<Routing, const char*> variants[] = {
        {Routing::one, "one subscription"},
        {Routing::beside, "one, beside all the others"},
        {Routing::all, "round all topics"}};
    start_hub("--data :memory: --stomp-max-connections 30000");
    const unsigned rounds = std::min(plan_.rounds, 3U);
    for (unsigned round = 0; round < rounds; ++round)
      for (const Broker& broker : brokers(false)) {
        if (!broker.own && broker.language == Language::stomp) continue;
        for (const auto& [routing, variant] : variants)
          measure(broker, variant, Per::delivery, [&](const Broker& to, const std::string& name) {
            return routing_flow(plan_, to, name, routing);
          });
      }
    const StompRow* one = own_row("one subscription");
    for (const auto& [routing, variant] : variants) {
      const StompRow* own = own_row(variant);
      if (routing == Routing::one || own == nullptr || one == nullptr) continue;
      bar(fmt::format("us a delivery, {}, to one subscription", variant), own->cost() / one->cost(),
          2.0, true);
    }
  }

  void slow() {
    // A hub of its own, so that what it grows by is this scenario's.
    start_hub("--data :memory:");
    const unsigned rounds = std::min(plan_.rounds, 3U);
    for (unsigned round = 0; round < rounds; ++round)
      for (const Broker& broker : brokers(false))
        for (const unsigned silent : {0U, 1U})
          measure(broker, silent == 0 ? "all read" : "one does not read", Per::message,
                  [&](const Broker& to, const std::string& name) {
                    return slow_flow(plan_, to, name, silent);
                  });
    const StompRow* before = own_row("all read");
    const StompRow* with = own_row("one does not read");
    if (before == nullptr || with == nullptr) return;
    bar("MB that the hub grows by", with->memory, 100, true);
    bar("us a message to that without a slow one", with->cost() / before->cost(), 1.25, true);
  }

  void idle() {
    const auto beat = std::chrono::duration_cast<std::chrono::milliseconds>(plan_.heart_beat);
    start_hub(fmt::format("--data :memory: --stomp-max-connections 30000 --stomp-heart-beat {}ms",
                          beat.count()));
    const Duration length = std::max<Duration>(plan_.duration, plan_.heart_beat);
    for (const Broker& broker : brokers(true)) {
      if (!broker.own) continue;
      StompRow& target = row(broker, "");
      const auto crowd = measure_crowd(broker, {plan_.idle, plan_.heart_beat, length});
      if (!crowd) {
        target.error = crowd.error().text();
        tell(target, target.error);
        continue;
      }
      target.rates.push_back(crowd->beats_per_second);
      target.cpu.push_back(crowd->share * 100);
      target.memory = megabytes(crowd->memory_before, crowd->memory_after);
      tell(target, fmt::format("{:.2f} % of a core", target.cpu.back()));
      bar("% of a core", target.cost(), 3, true);
    }
  }

  const StompPlan& plan_;
  const Progress& progress_;
  StompReport report_{};
  StompOutcome outcome_{};
  std::vector<Hub> hubs_{};
  std::string folder_;
  unsigned names_ = 0;
};

}  // namespace

std::vector<StompScenario> stomp_scenarios() {
  return {{"transient", "One queue, a producer, a consumer, nothing on disk"},
          {"fan-out", "One topic, many subscribers"},
          {"persistent", "A queue on disk, a receipt for each message, a consumer"},
          {"stored", "The same, and nobody takes them meanwhile"},
          {"routing", "Many subscriptions over many topics"},
          {"slow", "A topic with two consumers that read and one that does not"},
          {"idle", "Connections with heart-beats, and nothing else"}};
}

double StompRow::rate() const { return median_of(rates); }
double StompRow::cost() const { return median_of(cpu); }

bool StompReport::good() const noexcept {
  return std::ranges::all_of(bars, &StompBar::met) &&
         std::ranges::all_of(outcomes, [](const StompOutcome& outcome) {
           return std::ranges::all_of(
               outcome.rows, [](const StompRow& row) { return !row.own || row.error.empty(); });
         });
}

Result<StompReport> run_stomp(const StompPlan& plan, const Progress& progress) {
  const auto bad = [](std::string what) {
    return std::unexpected(Error{ErrorKind::invalid_argument, 0, "bench stomp", std::move(what)});
  };
  if (plan.rounds == 0) return bad("rounds start at 1");
  if (plan.duration <= Duration{0}) return bad("seconds must be above 0");
  if (plan.body < 16) return bad("bodies have at least 16 bytes");
  if (plan.window == 0 || plan.receipts == 0 || plan.window >= Receipts::most ||
      plan.receipts >= Receipts::most)
    return bad("windows are 1 to 65,535");
  const auto known = stomp_scenarios();
  for (const std::string& name : plan.scenarios)
    if (std::ranges::find(known, name, &StompScenario::name) == known.end())
      return bad(fmt::format("no scenario is named '{}'", name));
  return StompRun(plan, progress).run();
}

}  // namespace hawser::bench
