// What brokers send is cut the same however it comes, and nothing wrong passes.
#include <bench/stomp/cutter.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hawser::bench {
namespace {

using namespace std::string_literals;

struct Kept {
  std::vector<std::string> all{};
  bool message(BytesView body) {
    all.push_back("message " + std::string(body));
    return true;
  }
  void confirmed(BytesView receipt) { all.push_back("receipt " + std::string(receipt)); }
  void failed(BytesView text) { all.push_back("failed " + std::string(text.substr(0, 20))); }
  void other(BytesView frame) { all.push_back("other " + std::string(frame.substr(0, 4))); }
};

/// Cut in two at every place: always the same.
std::vector<std::string> cut_every_way(Language language, const std::string& bytes) {
  Kept whole;
  EXPECT_EQ(cut(language, bytes, 4, whole), bytes.size());
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    Kept kept;
    std::string held = bytes.substr(0, at);
    held.erase(0, cut(language, held, 4, kept));
    held += bytes.substr(at);
    held.erase(0, cut(language, held, 4, kept));
    EXPECT_EQ(kept.all, whole.all) << at;
    EXPECT_EQ(held, "") << at;
  }
  return whole.all;
}

TEST(Cutter, stomp_frames) {
  const auto found = cut_every_way(
      Language::stomp,
      "\n\nCONNECTED\nversion:1.2\n\n\0\nMESSAGE\nmessage-id:1\n\nabcd\0MESSAGE\nx:y\n\nefgh\0\n\n"
      "RECEIPT\nreceipt-id:0000002a\n\n\0RECEIPT\nx:y\r\nreceipt-id:r\r\n\r\n\0"s);
  EXPECT_EQ(found, (std::vector<std::string>{"other CONN", "message abcd", "message efgh",
                                             "receipt 0000002a", "receipt r"}));
}

TEST(Cutter, what_is_wrong_is_said) {
  const auto found = cut_every_way(Language::stomp,
                                   "MESSAGE\nmessage-id:1\n\nabcde\0MESSAGE\n\nabc\0RECEIPT\n\n\0"
                                   "ERROR\nmessage:no\n\n\0"s);
  ASSERT_EQ(found.size(), 4U);
  for (const std::string& each : found) EXPECT_TRUE(each.starts_with("failed")) << each;
}

TEST(Cutter, nats_lines) {
  const auto found =
      cut_every_way(Language::nats,
                    "INFO {}\r\nPONG\r\nMSG a.b 1 4\r\na\r\nb\r\nMSG a 1 4\r\nefgh\r\n"
                    "PING\r\n-ERR 'no'\r\n");
  EXPECT_EQ(found, (std::vector<std::string>{"other INFO", "receipt ", "message a\r\nb",
                                             "message efgh", "other PING", "failed -ERR 'no'\r"}));
}

TEST(Cutter, a_nats_body_of_another_length_is_wrong) {
  Kept kept;
  cut(Language::nats, "MSG a 1 3\r\nabc\r\n   ", 4, kept);
  ASSERT_EQ(kept.all.size(), 1U);
  EXPECT_TRUE(kept.all[0].starts_with("failed"));
}

}  // namespace
}  // namespace hawser::bench
