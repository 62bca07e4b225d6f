// Every probe of stomp.md section 10 at a broker's session, with our outcome: each test is named
// after its row. And what each limit of 1.6 says.
#include <hawser/stomp/testing/broker_peer.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hawser::stomp {
namespace {

using namespace std::string_literals;
using testing::BrokerPeer;
using testing::texts;

TEST(StompProbe, leading_line_feeds_then_CONNECT) {
  BrokerPeer peer;
  peer.feed("\n\n\r\n\nCONNECT\naccept-version:1.2\nhost:h\n\n\0"s);
  EXPECT_TRUE(peer.out.starts_with("CONNECTED\n"));
}

TEST(StompProbe, CONNECT_with_CRLF_lines) {
  BrokerPeer peer;
  peer.feed("CONNECT\r\naccept-version:1.2\r\nhost:h\r\n\r\n\0"s);
  EXPECT_TRUE(peer.out.starts_with("CONNECTED\nversion:1.2\n"));
}

TEST(StompProbe, STOMP_command) {
  BrokerPeer peer;
  peer.frame("STOMP", {"accept-version:1.1", "host:h"});
  EXPECT_TRUE(peer.out.starts_with("CONNECTED\nversion:1.1\n"));
}

TEST(StompProbe, no_accept_version) {
  BrokerPeer peer;
  peer.frame("CONNECT");
  EXPECT_TRUE(peer.out.starts_with("CONNECTED\nversion:1.0\n"));
}

TEST(StompProbe, accept_version_1_3) {
  BrokerPeer peer;
  peer.frame("CONNECT", {"accept-version:1.3", "host:h"});
  EXPECT_TRUE(peer.refused("message:no common version\n"));
  EXPECT_TRUE(peer.said("version:1.0,1.1,1.2\n"));
}

TEST(StompProbe, malformed_heart_beat) {
  for (const char* bad : {"often", "-1,0", "1000", "1000,", "1 000,0", "1000,2000,3000"}) {
    BrokerPeer peer;
    peer.frame("CONNECT", {"accept-version:1.2", "heart-beat:"s + bad});
    EXPECT_TRUE(peer.refused("message:malformed heart-beat header\n")) << bad;
  }
}

TEST(StompProbe, wrong_passcode) {
  class Nobody : public Access {
    Result<std::string> log_in(const LoginRequest&) const override {
      return std::unexpected(Error{ErrorKind::refused, 0, "login", "wrong"});
    }
    bool may_read(std::string_view, BytesView) const override { return false; }
    bool may_write(std::string_view, BytesView) const override { return false; }
  };
  BrokerPeer peer({.access = std::make_shared<Nobody>()});
  peer.answer_login = std::unexpected(Error{ErrorKind::refused, 0, "login", "wrong"});
  peer.frame("CONNECT", {"accept-version:1.2", "login:a", "passcode:b"});
  EXPECT_TRUE(peer.refused("message:login refused\n"));
}

TEST(StompProbe, frame_before_CONNECT) {
  BrokerPeer peer;
  peer.frame("SUBSCRIBE", {"id:1", "destination:/queue/a"});
  EXPECT_TRUE(peer.refused("message:not connected\n"));
}

TEST(StompProbe, HTTP_GET_on_the_STOMP_port) {
  BrokerPeer peer;
  peer.feed("GET /stomp HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(peer.refused("unknown_command"));
}

TEST(StompProbe, unknown_command_and_lower_case_command) {
  for (const char* command : {"HELLO", "send", "Send", "SEND ", "BEGINN"}) {
    BrokerPeer peer;
    peer.log_in();
    peer.frame(command, {"destination:/queue/a"});
    EXPECT_TRUE(peer.refused("unknown_command")) << command;
  }
  for (const char* command : {"MESSAGE", "RECEIPT", "ERROR", "CONNECTED"}) {
    BrokerPeer peer;
    peer.log_in();
    peer.frame(command);
    EXPECT_TRUE(peer.refused("is not understood")) << command;
  }
}

TEST(StompProbe, SEND_without_destination) {
  BrokerPeer peer;
  peer.log_in();
  peer.frame("SEND", {"receipt:r"}, "x");
  EXPECT_TRUE(peer.refused("message:missing destination\n"));
  EXPECT_TRUE(peer.said("receipt-id:r\n"));
}

TEST(StompProbe, SUBSCRIBE_without_id_in_1_1_and_1_2) {
  for (const char* version : {"1.1", "1.2"}) {
    BrokerPeer peer;
    peer.log_in(version);
    peer.frame("SUBSCRIBE", {"destination:/queue/a"});
    EXPECT_TRUE(peer.refused("message:SUBSCRIBE without id\n"));
  }
  BrokerPeer old;
  old.log_in("1.0");
  old.subscribe("/queue/a", "");
  EXPECT_FALSE(old.ended);
}

TEST(StompProbe, duplicate_subscription_id) {
  BrokerPeer peer;
  peer.log_in();
  peer.subscribe("/queue/a", "1");
  peer.frame("SUBSCRIBE", {"id:1", "destination:/queue/b", "receipt:r"});
  EXPECT_TRUE(peer.refused("message:subscription exists\n"));
  EXPECT_TRUE(peer.said("receipt-id:r\n"));
  EXPECT_FALSE(peer.said("RECEIPT\n")) << "no RECEIPT beside the ERROR";
}

TEST(StompProbe, ack_foo) {
  BrokerPeer peer;
  peer.log_in();
  peer.frame("SUBSCRIBE", {"id:1", "destination:/queue/a", "ack:foo"});
  EXPECT_TRUE(peer.refused("message:unknown ack mode\n"));
  BrokerPeer lenient({.lenient = {.unknown_ack_modes = true}});
  lenient.log_in();
  lenient.subscribe("/queue/a", "1", {"ack:foo"});
  EXPECT_FALSE(lenient.ended);
}

TEST(StompProbe, UNSUBSCRIBE_unknown_id) {
  BrokerPeer peer;
  peer.log_in();
  peer.frame("UNSUBSCRIBE", {"id:9", "receipt:r"});
  EXPECT_TRUE(peer.refused("message:no such subscription\n"));
  BrokerPeer none;
  none.log_in();
  none.frame("UNSUBSCRIBE");
  EXPECT_TRUE(none.refused("message:UNSUBSCRIBE without id\n"));
}

TEST(StompProbe, header_value_with_escapes_blanks_UTF_8_empty_duplicates) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed(
      "SEND\ndestination:/queue/a\nescapes:\\c\\n\\r\\\\\nblanks:  a b  \nutf-8:\xc3\xbc\nempty:\n"
      "twice:1\ntwice:2\n\nx\0"s);
  ASSERT_EQ(peer.published.size(), 1U);
  EXPECT_EQ(texts(peer.published[0].message->properties()),
            (std::vector<std::string>{"escapes::\n\r\\", "blanks:  a b  ", "utf-8:\xc3\xbc",
                                      "empty:", "twice:1"}));
}

TEST(StompProbe, a_1_0_session_with_backslashes_in_a_value) {
  BrokerPeer peer;
  peer.log_in("1.0");
  peer.feed("SEND\ndestination:/queue/a\nx:a\\cb\\n\n\nx\0"s);
  EXPECT_EQ(texts(peer.published.at(0).message->properties()),
            std::vector<std::string>{"x:a\\cb\\n"})
      << "1.0 has no escapes";
}

TEST(StompProbe, NUL_in_the_body_with_content_length) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed("SEND\ndestination:/queue/a\ncontent-length:5\n\na\0b\0c\0"s);
  EXPECT_EQ(peer.published.at(0).message->body(), "a\0b\0c"s);
}

TEST(StompProbe, body_longer_than_content_length) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed("SEND\ndestination:/queue/a\ncontent-length:2\n\nabc\0"s);
  EXPECT_TRUE(peer.refused("body_not_terminated"));
}

TEST(StompProbe, no_content_length_on_SEND_and_the_MESSAGE_has_one) {
  BrokerPeer peer;
  peer.log_in();
  peer.frame("SEND", {"destination:/queue/a"}, "hello");
  EXPECT_NE(peer.published.at(0).message->head().find("content-length:5\n"), BytesView::npos);
}

TEST(StompProbe, empty_body_is_a_MESSAGE_without_content_length) {
  BrokerPeer peer;
  peer.log_in();
  peer.frame("SEND", {"destination:/queue/a"});
  EXPECT_EQ(peer.published.at(0).message->head().find("content-length"), BytesView::npos);
}

TEST(StompProbe, DISCONNECT_with_receipt_then_SEND) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed("DISCONNECT\nreceipt:r\n\n\0SEND\ndestination:/queue/a\nreceipt:late\n\nx\0"s);
  EXPECT_EQ(peer.out, "RECEIPT\nreceipt-id:r\n\n\0"s);
  EXPECT_TRUE(peer.ended);
  EXPECT_TRUE(peer.published.empty());
}

TEST(StompProbe, connection_after_an_application_ERROR_is_over_in_every_version) {
  for (const char* version : {"1.0", "1.1", "1.2"}) {
    BrokerPeer peer;
    peer.log_in(version);
    peer.frame("SEND", {}, "x");
    ASSERT_TRUE(peer.ended);
    peer.take();
    peer.frame("SEND", {"destination:/queue/a", "receipt:r"}, "x");
    EXPECT_TRUE(peer.out.empty());
    EXPECT_TRUE(peer.published.empty());
  }
}

// ---- limits of 1.6
// -------------------------------------------------------------------------------------

SessionOptions with_limits(Limits limits) {
  SessionOptions options;
  options.parser.limits = limits;
  return options;
}

TEST(StompProbe, headers_1_500) {
  BrokerPeer peer;
  peer.log_in();
  std::vector<std::string> headers{"destination:/queue/a"};
  for (int i = 0; i < 1'500; ++i) headers.push_back("h" + std::to_string(i) + ":v");
  peer.frame("SEND", headers, "x");
  EXPECT_TRUE(peer.refused("too_many_headers"));
  EXPECT_TRUE(peer.said("1000")) << "the limit is named";
  EXPECT_EQ(peer.session.close_code(), 1009);
}

TEST(StompProbe, header_of_20_000_octets) {
  BrokerPeer peer;
  peer.log_in();
  peer.frame("SEND", {"destination:/queue/a", "h:" + std::string(20'000, 'x')}, "x");
  EXPECT_TRUE(peer.refused("header_line_too_long"));
  EXPECT_TRUE(peer.said("16384"));
  EXPECT_EQ(peer.session.close_code(), 1009);
}

TEST(StompProbe, command_of_10_000_octets) {
  BrokerPeer peer;
  peer.log_in();
  peer.feed(std::string(10'000, 'A'));
  EXPECT_TRUE(peer.refused("command_too_long"));
  EXPECT_LT(peer.out.size(), 500U) << "and it is not said back";
}

TEST(StompProbe, header_block_body_and_pre_login_frame) {
  BrokerPeer block(with_limits({.header_block = 100}));
  block.log_in();
  block.frame("SEND", {"destination:/queue/a", "h:" + std::string(90, 'x')}, "x");
  EXPECT_TRUE(block.refused("header_block_too_long"));
  BrokerPeer body(with_limits({.body = 10}));
  body.log_in();
  body.frame("SEND", {"destination:/queue/a"}, "12345678901");
  EXPECT_TRUE(body.refused("body_too_long"));
  BrokerPeer announced(with_limits({.body = 10}));
  announced.log_in();
  announced.feed("SEND\ndestination:/queue/a\ncontent-length:11\n\n");
  EXPECT_TRUE(announced.refused("body_too_long")) << "before any of it has come";
  EXPECT_EQ(announced.session.close_code(), 1009);
  BrokerPeer early(with_limits({.pre_login_frame = 60}));
  early.frame("CONNECT", {"accept-version:1.2", "x:" + std::string(60, 'x')});
  EXPECT_TRUE(early.refused("frame_too_long"));
}

TEST(StompProbe, receipt_names_and_client_ids_have_a_length) {
  BrokerPeer receipt({.receipt = 4});
  receipt.log_in();
  receipt.frame("SEND", {"destination:/queue/a", "receipt:12345"}, "x");
  EXPECT_TRUE(receipt.refused("message:receipt too long\n"));
  BrokerPeer client({.subscription_id = 4});
  client.frame("CONNECT", {"accept-version:1.2", "client-id:12345"});
  EXPECT_TRUE(client.refused("message:client-id too long\n"));
}

TEST(StompProbe, every_fault_of_the_wire_is_named_and_nothing_follows) {
  struct BadFrame {
    std::string frame;
    const char* says;
  };
  for (const auto& [frame, says] : std::vector<BadFrame>{
           {"SEND\ndestination\n\n\0"s, "header_without_colon"},
           {"SEND\n:x\n\n\0"s, "empty_header_name"},
           {"SEND\ndestination:/topic/a\nx:\\t\n\n\0"s, "undefined_escape"},
           {"SEND\ndestination:/topic/a\nx:\\\n\n\0"s, "undefined_escape"},
           {"SEND\ndesti\0"s, "nul_in_head"},
           {"SEND\ndestination:/topic/a\ncontent-length:abc\n\n\0"s, "bad_content_length"},
           {"SEND\ndestination:/topic/a\ncontent-length:-1\n\n\0"s, "bad_content_length"},
           {"SEND\ndestination:/topic/a\ncontent-length:1\n\nabc\0"s, "body_not_terminated"},
       }) {
    BrokerPeer whole;
    whole.log_in();
    whole.feed(frame);
    EXPECT_TRUE(whole.refused(says));
    whole.take();
    whole.frame("SEND", {"destination:/topic/a"}, "x");
    EXPECT_TRUE(whole.published.empty()) << "nothing after the error";
    EXPECT_TRUE(whole.out.empty());
    BrokerPeer bytewise;
    bytewise.log_in();
    for (const char octet : frame) bytewise.feed(std::string(1, octet));
    EXPECT_TRUE(bytewise.refused(says));
  }
}

TEST(StompProbe, P_14_the_escape_of_a_CR_is_none_in_1_1) {
  BrokerPeer peer;
  peer.log_in("1.1");
  peer.frame("SEND", {"destination:/topic/a", "x:\\r"});
  EXPECT_TRUE(peer.refused("undefined_escape"));
}

}  // namespace
}  // namespace hawser::stomp
