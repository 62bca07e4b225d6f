// STOMP URLs: parts, defaults, escapes, and that no message or log shows a passcode.
#include <hawser/stomp/url.hpp>

#include <gtest/gtest.h>

namespace hawser::stomp {
namespace {

TEST(Url, has_defaults) {
  const auto url = Url::parse("stomp://broker");
  ASSERT_TRUE(url);
  EXPECT_EQ(*url, (Url{{}, {}, "broker", 61613, {}}));
  EXPECT_EQ(url->host_header(), "broker");
  EXPECT_EQ(Url::parse("stomp://broker/"), url);
}

TEST(Url, reads_every_part) {
  const auto url = Url::parse("stomp://guest:secret@127.0.0.1:7000/main");
  ASSERT_TRUE(url);
  EXPECT_EQ(*url, (Url{"guest", "secret", "127.0.0.1", 7000, "main"}));
  EXPECT_EQ(url->host_header(), "main");
  EXPECT_EQ(url->text(), "stomp://guest:***@127.0.0.1:7000/main");
}

TEST(Url, decodes_what_is_escaped) {
  const auto url = Url::parse("stomp://a%40b:p%3A%2f%25@host/%2F");
  ASSERT_TRUE(url);
  EXPECT_EQ(*url, (Url{"a@b", "p:/%", "host", 61613, "/"}));
  EXPECT_EQ(url->text(), "stomp://a%40b:***@host:61613/%2F");
}

TEST(Url, takes_a_passcode_as_it_is_typed) {
  EXPECT_EQ(Url::parse("stomp://me:a:b@c@host")->passcode, "a:b@c");
  EXPECT_EQ(Url::parse("stomp://me:@host")->passcode, "");
  EXPECT_EQ(Url::parse("stomp://me@host")->passcode, std::nullopt);
  EXPECT_EQ(Url::parse("stomp://@host")->login, "");
  EXPECT_EQ(Url::parse("stomp://host/a@b")->vhost, "a@b");
}

TEST(Url, reads_ipv6) {
  const auto url = Url::parse("stomp://[::1]:7000");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 7000);
  EXPECT_EQ(url->text(), "stomp://[::1]:7000");
  EXPECT_EQ(Url::parse("stomp://[fe80::1%2]")->host, "fe80::1%2");
}

TEST(Url, names_the_transport) {
  const auto tls = Url::parse("stomp+tls://me:x@broker/v");
  ASSERT_TRUE(tls);
  EXPECT_TRUE(tls->tls());
  EXPECT_EQ(tls->target(), "broker:61614");
  EXPECT_EQ(tls->text(), "stomp+tls://me:***@broker:61614/v");
  EXPECT_EQ(Url::parse("stomps://me:x@broker/v"), tls);
  const auto websocket = Url::parse("wss://me:x@broker/ws/stomp?a=1");
  ASSERT_TRUE(websocket);
  EXPECT_TRUE(websocket->tls() && websocket->websocket());
  EXPECT_EQ(websocket->path, "/ws/stomp?a=1");
  EXPECT_EQ(websocket->target(), "broker:443");
  EXPECT_EQ(websocket->host_header(), "broker");
  EXPECT_EQ(Url::parse("ws://[::1]")->target(), "[::1]:80");
  EXPECT_EQ(Url::parse("ws://h")->path, "/");
  const auto socket = Url::parse("unix://me:x@/run/a%20b.sock");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->target(), "unix:/run/a b.sock");
  EXPECT_EQ(socket->login, "me");
  EXPECT_EQ(socket->host_header(), "localhost");
  EXPECT_EQ(socket->text(), "unix://me:***@/run/a%20b.sock");
  for (const char* text : {"unix://host/path", "unix://", "unix:///", "ws://h/a b", "wss://"})
    EXPECT_FALSE(Url::parse(text)) << text;
}

TEST(Url, refuses_what_is_none) {
  for (const char* text : {"",
                           "stomp:",
                           "stomp://",
                           "http://host",
                           "host:61613",
                           "stomp://:61613",
                           "stomp://host:",
                           "stomp://host:0",
                           "stomp://host:65536",
                           "stomp://host:7x",
                           "stomp://[::1",
                           "stomp://[::1]x",
                           "stomp://[]",
                           "stomp://ho st",
                           "stomp://h%41st",
                           "stomp://host/%0a",
                           "stomp://host/%0",
                           "stomp://host/%zz",
                           "STOMP://host",
                           "stomp+ssl://host"}) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().kind, ErrorKind::invalid_argument);
  }
}

TEST(Url, errors_never_show_a_passcode) {
  for (const char* text : {"stomp://me:sesame@", "stomp://me:sesame@host:99999", "me:sesame@host",
                           "stomp://me:sesame%0@host", "stomp://me:sesame/open@host",
                           "stomp://me:sesame@ho st", "stomp://me:sesame@[::1"}) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().text().find("sesame"), std::string::npos) << url.error().text();
  }
}

}  // namespace
}  // namespace hawser::stomp
