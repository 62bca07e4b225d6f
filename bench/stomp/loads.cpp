// What is sent where, and who reads it.
#include <bench/stomp/frames.hpp>
#include <bench/stomp/loads.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace hawser::bench {

namespace {

constexpr unsigned lines_of_routing = 100;  // connections that share the subscriptions

Flow flow_of(const StompPlan& plan, const Broker& broker) {
  Flow flow;
  flow.producer.sends.language = broker.language;
  flow.producer.sends.body = plan.body;
  flow.producer.window = plan.window;
  flow.consumer.body = plan.body;
  flow.warmup = plan.warmup;
  flow.duration = plan.duration;
  return flow;
}

}  // namespace

Flow queue_flow(const StompPlan& plan, const Broker& broker, const std::string& name) {
  Flow flow = flow_of(plan, broker);
  const std::string queue = destination_text(broker.language, true, name);
  flow.producer.sends.destinations = {queue};
  flow.reads = {{queue}};
  return flow;
}

Flow persistent_flow(const StompPlan& plan, const Broker& broker, const std::string& name,
                     bool taken) {
  Flow flow = queue_flow(plan, broker, name);
  flow.producer.sends.persistent = true;
  flow.producer.sends.receipts = true;
  flow.producer.window = plan.receipts;
  // With a consumer the receipts alone are waited for, too, but what is measured has arrived.
  flow.producer.consumed = false;
  flow.consume_after = !taken;
  return flow;
}

Flow fan_out_flow(const StompPlan& plan, const Broker& broker, const std::string& name) {
  Flow flow = flow_of(plan, broker);
  const std::string topic = destination_text(broker.language, false, name);
  flow.producer.sends.destinations = {topic};
  flow.producer.window = std::min<std::uint64_t>(plan.window, 4096);
  flow.reads.assign(plan.subscribers, {topic});
  flow.consumer.copies = plan.subscribers;
  return flow;
}

Flow routing_flow(const StompPlan& plan, const Broker& broker, const std::string& name,
                  Routing routing) {
  Flow flow = flow_of(plan, broker);
  const auto topic = [&](std::string_view words) {
    return destination_text(broker.language, false, fmt::format("{}.{}", name, words));
  };
  if (routing == Routing::one) {
    flow.producer.sends.destinations = {topic("probe.a")};
    flow.reads = {{topic("probe.a")}};
    return flow;
  }
  // Every topic has as many subscriptions as any other; every tenth of them is a pattern that fits
  // this topic alone.
  const unsigned each = std::max(plan.subscriptions / plan.topics, 1U);
  std::vector<std::vector<std::string>> others(std::min(lines_of_routing, plan.topics));
  std::size_t line = 0;
  for (unsigned number = 0; number < plan.topics; ++number)
    for (unsigned copy = 0; copy < each; ++copy) {
      const std::string words = (number + copy) % 10 == 0 ? fmt::format("ballast.*.{}", number)
                                                          : fmt::format("ballast.t.{}", number);
      others[line++ % others.size()].push_back(topic(words));
    }
  if (routing == Routing::beside) {
    flow.producer.sends.destinations = {topic("probe.a")};
    flow.reads = {{topic("probe.a")}};
    flow.silent = std::move(others);  // nothing is ever sent to them
    return flow;
  }
  for (unsigned number = 0; number < plan.topics; ++number)
    flow.producer.sends.destinations.push_back(topic(fmt::format("ballast.t.{}", number)));
  flow.reads = std::move(others);
  flow.consumer.copies = each;
  flow.consumer.every = false;
  return flow;
}

Flow slow_flow(const StompPlan& plan, const Broker& broker, const std::string& name,
               unsigned slow) {
  Flow flow = flow_of(plan, broker);
  const std::string topic = destination_text(broker.language, false, name);
  flow.producer.sends.destinations = {topic};
  flow.producer.sends.body = 1000;
  flow.consumer.body = 1000;
  flow.producer.window = std::min<std::uint64_t>(plan.window, 2048);
  flow.reads.assign(2, {topic});
  flow.silent.assign(slow, {topic});
  flow.consumer.copies = 2;
  return flow;
}

}  // namespace hawser::bench
