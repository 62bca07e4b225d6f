// The dialects as their brokers' documents and sources tell (stomp.md 3).
#include <hawser/stomp/dialect.hpp>

namespace hawser::stomp {

Dialect Dialect::hawser() { return {}; }

Dialect Dialect::rabbitmq() {
  Dialect dialect;
  dialect.name = "RabbitMQ";
  dialect.durable = {};
  dialect.durable_headers = {{"durable", "true"}, {"auto-delete", "false"}};
  dialect.acks_reach_across = true;
  return dialect;
}

Dialect Dialect::activemq() {
  Dialect dialect;
  dialect.name = "ActiveMQ";
  dialect.prefetch = "activemq.prefetchSize";
  dialect.durable = "activemq.subscriptionName";
  dialect.durable_ends_apart = true;
  dialect.cumulative_nack = false;
  return dialect;
}

Dialect Dialect::artemis() {
  Dialect dialect;
  dialect.name = "Artemis";
  dialect.prefetch = {};
  dialect.prefetch_bytes = "consumer-window-size";
  dialect.deduplication = "_AMQ_DUPL_ID";
  dialect.durable_ends_apart = true;
  dialect.transactional_acks = false;
  return dialect;
}

Dialect Dialect::spring() {
  Dialect dialect;
  dialect.name = "Spring's simple broker";
  dialect.prefetch = {};
  dialect.has_durable = false;
  dialect.receipts = false;
  dialect.transactions = false;
  dialect.transactional_acks = false;
  return dialect;
}

}  // namespace hawser::stomp
