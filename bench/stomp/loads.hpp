// The flows of each scenario, in a broker's own words. Internal to bench/stomp; plain functions.
#pragma once

#include <bench/stomp/flow.hpp>
#include <bench/stomp/stomp_bench.hpp>

#include <string>

namespace hawser::bench {

/// `name` keeps one round apart from another.
Flow queue_flow(const StompPlan& plan, const Broker& broker, const std::string& name);
/// Persistent, with receipts; `taken`: a consumer takes them meanwhile, else afterwards.
Flow persistent_flow(const StompPlan& plan, const Broker& broker, const std::string& name,
                     bool taken);
Flow fan_out_flow(const StompPlan& plan, const Broker& broker, const std::string& name);

enum class Routing : unsigned char {
  one,     ///< one subscription, one topic
  beside,  ///< the same, with all the others there
  all,     ///< the messages go round all topics, ten subscriptions each
};
Flow routing_flow(const StompPlan& plan, const Broker& broker, const std::string& name,
                  Routing routing);
/// A topic with two that read, and `slow` that do not.
Flow slow_flow(const StompPlan& plan, const Broker& broker, const std::string& name, unsigned slow);

}  // namespace hawser::bench
