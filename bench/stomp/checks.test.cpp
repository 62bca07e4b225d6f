// The generator's own judgement: what arrives is checked, and what is wrong does not pass.
#include <bench/stomp/broker.hpp>
#include <bench/stomp/consumer.hpp>
#include <bench/stomp/producer.hpp>
#include <bench/stomp/stomp_bench.hpp>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace hawser::bench {
namespace {

std::string body(std::uint64_t number) {
  std::string text(number_digits, '0');
  write_number(text.data(), number);
  return text + body_fill(12);
}

TEST(Arrivals, every_number_once_and_in_order) {
  Arrivals arrivals(20, true);
  EXPECT_TRUE(arrivals.take(body(0)));
  EXPECT_TRUE(arrivals.take(body(1)));
  EXPECT_FALSE(arrivals.take(body(1)));
  EXPECT_FALSE(arrivals.take(body(3)));
  EXPECT_NE(arrivals.wrong(body(3)).find("out of order"), std::string::npos);
  EXPECT_TRUE(arrivals.take(body(2)));
  EXPECT_EQ(arrivals.count(), 3U);
}

TEST(Arrivals, a_changed_body_is_seen) {
  for (const bool every : {true, false}) {
    for (std::size_t at = 0; at < 20; ++at) {
      Arrivals arrivals(20, every);
      std::string changed = body(0);
      changed[at] = '~';
      EXPECT_FALSE(arrivals.take(changed)) << at;
    }
  }
}

TEST(Arrivals, of_some_messages_numbers_do_not_fall) {
  Arrivals arrivals(20, false);
  EXPECT_TRUE(arrivals.take(body(5)));
  EXPECT_TRUE(arrivals.take(body(5)));
  EXPECT_TRUE(arrivals.take(body(9)));
  EXPECT_FALSE(arrivals.take(body(8)));
}

TEST(Receipts, each_once_in_any_order) {
  Receipts receipts;
  EXPECT_TRUE(receipts.take(1, 3));
  EXPECT_EQ(receipts.low(), 0U);
  EXPECT_FALSE(receipts.take(1, 3));
  EXPECT_FALSE(receipts.take(3, 3));
  EXPECT_TRUE(receipts.take(0, 3));
  EXPECT_EQ(receipts.low(), 2U);
  EXPECT_FALSE(receipts.take(0, 3));
  for (std::uint64_t number = 2; number < 3 * Receipts::most; ++number)
    ASSERT_TRUE(receipts.take(number, number + 1)) << number;
  EXPECT_EQ(receipts.taken(), 3 * Receipts::most);
}

TEST(BrokerText, names_languages_and_logins) {
  const auto plain = parse_broker("a=127.0.0.1:61613");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->name, "a");
  EXPECT_EQ(plain->language, Language::stomp);
  EXPECT_EQ(plain->at, (Endpoint{"127.0.0.1", 61613}));
  const auto login = parse_broker("b=stomp://me:se@cret@127.0.0.1:1");
  ASSERT_TRUE(login);
  EXPECT_EQ(login->login, "me");
  EXPECT_EQ(login->passcode, "se@cret");
  EXPECT_EQ(parse_broker("c=nats://127.0.0.1:4222").value().language, Language::nats);
  for (const char* wrong : {"", "a", "=127.0.0.1:1", "a=amqp://127.0.0.1:1", "a=me@127.0.0.1:1",
                            "a=localhost:1", "a=127.0.0.1"}) {
    const auto broker = parse_broker(wrong);
    ASSERT_FALSE(broker) << wrong;
    EXPECT_EQ(broker.error().kind, ErrorKind::invalid_argument);
  }
  EXPECT_EQ(parse_broker("a=me:secret@localhost:1").error().text().find("secret"),
            std::string::npos);
}

TEST(ListeningProcess, is_found_by_its_port) {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::uint16_t port = ntohs(address.sin_port);
  EXPECT_FALSE(listening_process(port));  // bound, and does not listen
  ASSERT_EQ(listen(socket.get(), 1), 0);
  const auto found = listening_process(port);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, getpid());
}

TEST(StompReport, bars_rows_and_errors) {
  StompReport report;
  report.machine = "a machine";
  StompOutcome outcome;
  outcome.scenario = stomp_scenarios().front();
  StompRow row;
  row.broker = "hawser";
  row.own = true;
  row.rates = {1'000'000, 3'000'000, 2'000'000};
  row.cpu = {0.5, 0.75, 0.625};
  row.client = {0.1, 0.1, 0.1};
  outcome.rows = {row};
  report.outcomes = {outcome};
  report.bars = {{"transient", "messages a second", 2'000'000, 1'000'000, false, ""}};
  EXPECT_TRUE(report.good());
  EXPECT_NE(stomp_table(report).find("2,000,000"), std::string::npos);
  EXPECT_NE(stomp_table(report).find("0.500 to 0.750"), std::string::npos);
  EXPECT_EQ(stomp_table(report).find("MISSED"), std::string::npos);
  EXPECT_NE(stomp_json(report).find("\"cpu_us\": 0.625"), std::string::npos);
  EXPECT_NE(stomp_svg(report).find("0.625  (2,000,000/s)"), std::string::npos);
  report.bars.push_back({"transient", "us of the hub a message", 0.9, 0.8, true, ""});
  EXPECT_FALSE(report.good());
  EXPECT_NE(stomp_table(report).find("MISSED"), std::string::npos);
  report.bars.pop_back();
  StompRow broken;
  broken.broker = "other";
  broken.error = "it broke";
  report.outcomes[0].rows.push_back(broken);
  EXPECT_TRUE(report.good()) << "it is not ours";
  report.outcomes[0].rows.back().own = true;
  EXPECT_FALSE(report.good());
  EXPECT_NE(stomp_table(report).find("it broke"), std::string::npos);
}

TEST(StompPlan, what_makes_no_sense_is_refused) {
  const auto refused = [](const StompPlan& plan) {
    const auto report = run_stomp(plan, nullptr);
    return !report && report.error().kind == ErrorKind::invalid_argument;
  };
  StompPlan plan;
  plan.scenarios = {"unknown"};
  EXPECT_TRUE(refused(plan));
  plan = {};
  plan.rounds = 0;
  EXPECT_TRUE(refused(plan));
  plan = {};
  plan.window = Receipts::most;
  EXPECT_TRUE(refused(plan));
}

}  // namespace
}  // namespace hawser::bench
