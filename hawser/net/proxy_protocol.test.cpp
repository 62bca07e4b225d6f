// The PROXY transports, between a test and nothing and on connections: who is believed, and that
// every byte behind the header comes through.
#include <hawser/net/proxy_protocol.hpp>

#include <gtest/gtest.h>
#include <hawser/net/testing/net_world.hpp>
#include <hawser/net/testing/transport_ends.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace hawser {
namespace {

using testing::TransportEnd;

const std::string line = "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n";

Address at(const char* text) { return Address::parse(text).value_or(Address{}); }

ProxyProtocolOptions trusting(const char* range = "10.0.0.0/8") {
  ProxyProtocolOptions options;
  options.trusted = {AddressRange::parse(range).value_or(AddressRange{})};
  return options;
}

/// A server's end whose socket's peer is `peer`, started.
struct Server : TransportEnd {
  explicit Server(ProxyProtocolOptions options, const char* peer = "10.9.9.9:1234")
      : TransportEnd(proxy_protocol(std::move(options))()) {
    peer_address = at(peer);
    start();
  }
  void feed(BytesView bytes) { transport->received(bytes); }
};

void expect_failed(const Server& server, Reason::Kind kind, std::string_view word) {
  ASSERT_TRUE(server.failed) << word;
  EXPECT_EQ(server.failed->kind(), kind) << server.failed->text();
  EXPECT_NE(server.failed->text().find(word), std::string::npos) << server.failed->text();
  EXPECT_FALSE(server.is_ready);
  EXPECT_EQ(server.delivered, "");
}

TEST(ProxyProtocol, the_peer_is_the_headers_source_and_the_rest_is_untouched) {
  for (std::size_t piece = 1; piece <= line.size() + 5; ++piece) {
    Server server(trusting());
    EXPECT_FALSE(server.is_ready);
    const std::string all = line + "hello";
    for (std::size_t from = 0; from < all.size(); from += piece) {
      EXPECT_EQ(server.transport->finished(), from >= line.size());
      server.feed(BytesView(all).substr(from, piece));
    }
    EXPECT_TRUE(server.is_ready);
    EXPECT_EQ(server.peer_address, at("192.0.2.1:5000"));
    EXPECT_EQ(server.delivered, "hello");
    EXPECT_TRUE(server.transport->finished());
    EXPECT_EQ(server.transport->describe(), "PROXY v1, 192.0.2.1:5000 to 10.0.0.1:443");
  }
}

TEST(ProxyProtocol, exactly_one_header_is_taken) {
  Server server(trusting());
  server.feed(line + line);
  EXPECT_EQ(server.delivered, line);
}

TEST(ProxyProtocol, nothing_is_said_before_the_header) {
  Server server(trusting());
  EXPECT_EQ(server.wire(), "");
  server.feed(line);
  EXPECT_TRUE(server.is_ready);
  EXPECT_TRUE(server.deliveries.empty()) << "an empty delivery";
  server.send("welcome");
  EXPECT_EQ(server.wire(), "welcome");
}

TEST(ProxyProtocol, a_proxy_that_speaks_for_itself_stays_the_peer) {
  ProxyHeader local;
  local.local = true;
  for (const std::string& header :
       {std::string("PROXY UNKNOWN\r\n"), write_proxy_header(local).value_or("")}) {
    Server server(trusting());
    server.feed(header + "ping");
    EXPECT_EQ(server.peer_address, at("10.9.9.9:1234"));
    EXPECT_EQ(server.delivered, "ping");
  }
}

TEST(ProxyProtocol, Tcp_R_12_an_untrusted_peer_is_refused_before_a_byte_is_read) {
  const Server server(trusting(), "192.168.1.1:1");
  expect_failed(server, Reason::Kind::failed, "192.168.1.1 is not among the trusted");
}

TEST(ProxyProtocol, an_untrusted_peer_may_be_a_plain_client_whose_header_means_nothing) {
  ProxyProtocolOptions options = trusting();
  options.untrusted = UntrustedPeer::plain;
  Server server(options, "192.168.1.1:1");
  EXPECT_TRUE(server.is_ready) << "at once: the server may speak first";
  server.feed(line);
  EXPECT_EQ(server.delivered, line);
  EXPECT_EQ(server.peer_address, at("192.168.1.1:1"));
  EXPECT_TRUE(server.transport->finished());
}

TEST(ProxyProtocol, a_Unix_peer_is_trusted_by_the_word_unix) {
  Server server(trusting("unix"), "");
  server.feed(line);
  EXPECT_EQ(server.peer_address, at("192.0.2.1:5000"));
  expect_failed(Server(trusting(), ""), Reason::Kind::failed, "unnamed Unix peer");
}

TEST(ProxyProtocol, a_missing_or_broken_header_ends_the_connection) {
  {
    Server server(trusting());
    server.feed("GET / HTTP/1.1\r\n");
    expect_failed(server, Reason::Kind::protocol_error, "does not begin with a PROXY header");
    server.feed("more");
    EXPECT_EQ(server.delivered, "");
  }
  {
    Server server(trusting());
    server.feed("PROXY TCP4 nonsense\r\n");
    expect_failed(server, Reason::Kind::protocol_error, "two ports");
  }
  {
    ProxyProtocolOptions options = trusting();
    options.header.v1 = false;
    Server server(options);
    server.feed(line);
    expect_failed(server, Reason::Kind::protocol_error, "only version 2");
  }
}

TEST(ProxyProtocol, a_peer_that_closes_early_is_told_from_one_that_only_looked) {
  {
    Server server(trusting());
    server.transport->received_end();
    expect_failed(server, Reason::Kind::closed, "closed");
  }
  {
    Server server(trusting());
    server.feed(line.substr(0, 9));
    server.transport->received_end();
    expect_failed(server, Reason::Kind::protocol_error, "after 9 bytes");
  }
}

TEST(ProxyProtocol, an_optional_header_may_be_missing) {
  ProxyProtocolOptions options = trusting();
  options.required = false;
  {
    Server server(options);
    server.feed("PRO");
    EXPECT_FALSE(server.is_ready) << "it may still become one";
    server.feed("BE");
    EXPECT_EQ(server.delivered, "PROBE");
    EXPECT_TRUE(server.transport->finished());
    EXPECT_EQ(server.peer_address, at("10.9.9.9:1234"));
  }
  {
    Server server(options);
    server.feed(line + "hello");
    EXPECT_EQ(server.peer_address, at("192.0.2.1:5000"));
    EXPECT_EQ(server.delivered, "hello");
  }
  {
    Server server(options);
    server.feed("PRO");
    server.transport->received_end();
    EXPECT_EQ(server.delivered, "PRO");
    EXPECT_TRUE(server.ended);
  }
  {
    Server server(options);
    server.feed("PROXY TC");
    server.transport->received_end();
    expect_failed(server, Reason::Kind::protocol_error, "after 8 bytes");
  }
  {
    Server server(options);
    server.transport->received_end();
    EXPECT_TRUE(server.is_ready && server.ended && !server.failed);
  }
}

TEST(ProxyProtocol, a_hold_keeps_bytes_and_the_end_in_their_order) {
  Server server(trusting());
  server.held = true;
  server.feed(line + "one");
  EXPECT_TRUE(server.is_ready);
  EXPECT_EQ(server.peer_address, at("192.0.2.1:5000"));
  EXPECT_EQ(server.transport->kept(), 3U);
  EXPECT_FALSE(server.transport->finished()) << "it still holds bytes";
  server.feed("two");
  server.transport->received_end();
  EXPECT_FALSE(server.ended);
  server.hold_after_each = true;
  server.let_go();
  EXPECT_EQ(server.delivered, "onetwo");
  EXPECT_FALSE(server.ended) << "held again";
  server.let_go();
  EXPECT_TRUE(server.ended);
  EXPECT_TRUE(server.transport->finished());
}

TEST(ProxyProtocol, on_header_sees_the_fields_and_the_proxy_and_may_refuse) {
  ProxyProtocolOptions options = trusting();
  std::string authority;
  Address proxy;
  options.on_header = [&](const ProxyHeader& header, const Address& from) -> Result<void> {
    authority = header.authority;
    proxy = from;
    if (authority == "good.example") return {};
    return std::unexpected(Error{ErrorKind::refused, 0, "on_header", "unknown host"});
  };
  ProxyHeader header;
  header.source = at("192.0.2.1:5000");
  header.destination = at("10.0.0.1:443");
  header.authority = "good.example";
  Server good(options);
  good.feed(write_proxy_header(header).value_or(""));
  EXPECT_TRUE(good.is_ready);
  EXPECT_EQ(authority, "good.example");
  EXPECT_EQ(proxy, at("10.9.9.9:1234"));
  header.authority = "bad.example";
  Server bad(options);
  bad.feed(write_proxy_header(header).value_or(""));
  expect_failed(bad, Reason::Kind::failed, "unknown host");
  EXPECT_EQ(bad.peer_address, at("10.9.9.9:1234"));
}

TEST(ProxyProtocol, unusable_options_are_named_and_let_nobody_in) {
  ProxyProtocolOptions options;
  options.header.v1 = options.header.v2 = false;
  options.header.maximum = 15;
  const auto faults = options.faults();
  ASSERT_EQ(faults.size(), 3U);
  EXPECT_TRUE(faults[0].starts_with("trusted: "));
  EXPECT_TRUE(faults[1].starts_with("header: "));
  EXPECT_TRUE(faults[2].starts_with("header.maximum: "));
  EXPECT_TRUE(trusting().faults().empty());
  expect_failed(Server(options), Reason::Kind::failed, "trusted: names nobody");
}

// ---- the client's side
// ---------------------------------------------------------------------------

TEST(ProxyProtocol, a_client_sends_its_header_first_and_once) {
  ProxyHeader header;
  header.source = at("192.0.2.1:5000");
  header.destination = at("10.0.0.1:443");
  header.checksum = true;
  TransportEnd client(send_proxy_protocol(header)());
  client.start();
  EXPECT_TRUE(client.is_ready);
  EXPECT_TRUE(client.transport->finished());
  Server server(trusting());
  client.send("hello");
  exchange(client, server, 1);
  EXPECT_EQ(server.peer_address, at("192.0.2.1:5000"));
  EXPECT_EQ(server.delivered, "hello");
  server.send("hi");
  exchange(client, server);
  EXPECT_EQ(client.delivered, "hi");
  server.feed("");
  client.transport->received_end();
  EXPECT_TRUE(client.ended);
}

TEST(ProxyProtocol, each_connection_asks_for_its_own_header) {
  std::uint16_t port = 0;
  const TransportMaker maker = send_proxy_protocol([&port] {
    ProxyHeader header;
    header.version = ProxyHeader::Version::v1;
    header.source = Address::ipv4({192, 0, 2, 1}, ++port);
    header.destination = Address::ipv4({10, 0, 0, 1}, 443);
    return header;
  });
  for (const char* expected :
       {"PROXY TCP4 192.0.2.1 10.0.0.1 1 443\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 2 443\r\n"}) {
    TransportEnd client(maker());
    client.start();
    EXPECT_EQ(client.wire(), expected);
  }
}

TEST(ProxyProtocol, a_header_that_cannot_be_written_ends_the_connection) {
  ProxyHeader header;
  header.version = ProxyHeader::Version::v1;
  header.authority = "a.example";
  TransportEnd client(send_proxy_protocol(header)());
  client.start();
  ASSERT_TRUE(client.failed);
  EXPECT_NE(client.failed->text().find("version 1 carries addresses only"), std::string::npos);
  EXPECT_FALSE(client.is_ready);
  EXPECT_EQ(client.wire(), "");
}

// ---- on a connection
// -----------------------------------------------------------------------------

/// Answers each packet with whom it comes from.
struct WhoAreYou {
  Next handle_packet(Packet) {
    const auto peer = connection().peer();
    return send(peer ? peer->text() : peer.error().text());
  }
};

TEST(ProxyProtocol, Tcp_R_12_a_servers_connection_has_the_clients_address) {
  testing::NetWorld net;
  ServerOptions options;
  options.transports = {proxy_protocol(trusting())};
  const Address server = net.serve<WhoAreYou>(options);
  const auto peer = net.connect(server);
  peer->send(line + testing::framed("who?"));
  ASSERT_TRUE(net.until([&] { return !peer->received.empty() || peer->over(); }));
  EXPECT_EQ(peer->received, testing::framed("192.0.2.1:5000"));
  peer->send(testing::framed("and now?"));
  ASSERT_TRUE(net.until([&] { return peer->received.size() > 16 || peer->over(); }));
  EXPECT_EQ(testing::unframed(peer->received).size(), 2U);
}

TEST(ProxyProtocol, a_header_that_does_not_come_in_time_ends_the_connection) {
  testing::NetWorld net;
  ServerOptions options;
  options.transports = {proxy_protocol(trusting())};
  options.connection.handshake_timeout = 3s;
  const Address server = net.serve<WhoAreYou>(options);
  const auto peer = net.connect(server);
  peer->send(line.substr(0, 10));
  net.run(2900ms);
  EXPECT_FALSE(peer->over());
  ASSERT_TRUE(net.until([&] { return peer->over(); }, 1s));
  EXPECT_EQ(peer->received, "");
}

TEST(ProxyProtocol, an_untrusted_client_of_a_server_is_cut_off) {
  testing::NetWorld net;
  ServerOptions options;
  options.transports = {proxy_protocol(trusting("192.0.2.0/24"))};
  const Address server = net.serve<WhoAreYou>(options);
  const auto peer = net.connect(server);
  peer->send(line + testing::framed("who?"));
  ASSERT_TRUE(net.until([&] { return peer->over(); }));
  EXPECT_EQ(peer->received, "");
}

}  // namespace
}  // namespace hawser
