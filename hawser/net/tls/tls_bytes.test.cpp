// Plain bytes through TLS: nothing lost in any split or hold, records well filled, and an end that
// nobody can forge.
#include <hawser/net/tls/testing/tls_pair.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace hawser {
namespace {

using namespace hawser::testing;

std::string noise(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  std::ranges::generate(bytes, [&] { return static_cast<char>(random.next()); });
  return bytes;
}

/// Carries bytes both ways in pieces of random sizes.
void exchange_randomly(TransportEnd& left, TransportEnd& right, Random& random) {
  const auto carry = [&](TransportEnd& from, TransportEnd& to) {
    const std::string bytes = from.wire();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t most = random.chance(0.5) ? 40 : 40000;
      const std::size_t size = std::min<std::size_t>(
          1 + static_cast<std::size_t>(random.below(most)), bytes.size() - at);
      to.transport->received(BytesView(bytes).substr(at, size));
      if (to.held && random.chance(0.3)) to.let_go();
      at += size;
    }
    while (to.held) to.let_go();
    return !bytes.empty();
  };
  for (bool moved = true; moved;) {
    moved = carry(left, right);
    moved = carry(right, left) || moved;
  }
}

/// The lengths of the TLS records in `wire`.
std::vector<std::size_t> record_lengths(BytesView wire) {
  std::vector<std::size_t> lengths;
  while (wire.size() >= 5) {
    const std::size_t length = static_cast<std::size_t>(static_cast<unsigned char>(wire[3])) << 8U |
                               static_cast<unsigned char>(wire[4]);
    lengths.push_back(length);
    wire.remove_prefix(std::min(wire.size(), 5 + length));
  }
  return lengths;
}

class TlsBytes : public ::testing::TestWithParam<TlsVersion> {
 protected:
  TlsBytes() {
    world.client_options.protocol.minimum = GetParam();
    world.client_options.protocol.maximum = GetParam();
    world.server_options.session_tickets = 0;
  }
  TlsWorld world;
};

INSTANTIATE_TEST_SUITE_P(Versions, TlsBytes,
                         ::testing::Values(TlsVersion::tls_1_2, TlsVersion::tls_1_3));

TEST_P(TlsBytes, a_mebibyte_each_way_in_random_splits) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  const std::string up = noise(1 << 20, 1);
  const std::string down = noise((1 << 20) + 17, 2);
  Random random(3);
  for (std::size_t at = 0; at < up.size();) {
    const std::size_t size = 1 + static_cast<std::size_t>(random.below(50000));
    pair.client->send(BytesView(up).substr(at, size));
    if (at < down.size()) pair.server->send(BytesView(down).substr(at, size));
    at += size;
    exchange_randomly(*pair.client, *pair.server, random);
  }
  pair.server->send(BytesView(down).substr(std::min(down.size(), pair.client->delivered.size())));
  exchange_randomly(*pair.client, *pair.server, random);
  EXPECT_TRUE(pair.server->delivered == up);
  EXPECT_TRUE(pair.client->delivered == down);
  EXPECT_FALSE(pair.client->failed || pair.server->failed) << pair.why();
}

TEST_P(TlsBytes, a_hold_keeps_everything_and_delivers_nothing) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  const std::string sent = noise(300'000, 4);
  pair.client->send(sent);
  const std::string wire = pair.client->wire();
  pair.server->held = true;
  pair.server->transport->received(BytesView(wire).substr(0, 100'000));
  pair.server->transport->received(BytesView(wire).substr(100'000));
  EXPECT_EQ(pair.server->delivered, "");
  EXPECT_EQ(pair.server->transport->kept(), wire.size());
  // One record at a time, since every delivery holds again.
  pair.server->hold_after_each = true;
  int rounds = 0;
  std::size_t kept = wire.size();
  while (pair.server->held) {
    pair.server->let_go();
    if (++rounds > 100) break;
    EXPECT_LT(pair.server->transport->kept(), kept);
    kept = pair.server->transport->kept();
    if (kept == 0) pair.server->hold_after_each = pair.server->held = false;
  }
  EXPECT_EQ(rounds, 19);  // records of 16 KiB
  EXPECT_TRUE(pair.server->delivered == sent);
}

TEST_P(TlsBytes, holds_at_random_lose_nothing) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  const std::string sent = noise(500'000, 5);
  Random random(6);
  pair.server->hold_after_each = true;
  for (std::size_t at = 0; at < sent.size(); at += 25'000) {
    pair.client->send(BytesView(sent).substr(at, 25'000));
    exchange_randomly(*pair.client, *pair.server, random);
  }
  EXPECT_TRUE(pair.server->delivered == sent);
}

TEST_P(TlsBytes, a_hold_at_ready_keeps_what_came_with_the_handshake) {
  TlsPair pair(world);
  pair.server->start();
  pair.client->start();
  pair.server->held = true;
  for (int i = 0; i < 3; ++i) {
    pair.server->transport->received(pair.client->wire());
    pair.client->transport->received(pair.server->wire());
    if (pair.client->is_ready) break;
  }
  ASSERT_TRUE(pair.client->is_ready) << pair.why();
  pair.client->send("early bird");  // together with the last flight, where it is the client's
  if (const std::string last = pair.client->wire(); !last.empty()) {
    pair.server->transport->received(last);
  }
  ASSERT_TRUE(pair.server->is_ready);
  EXPECT_EQ(pair.server->delivered, "");
  pair.server->let_go();
  EXPECT_EQ(pair.server->delivered, "early bird");
}

TEST_P(TlsBytes, small_pieces_share_records_and_large_ones_fill_them) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  SendPool pool;
  SendQueue plain(pool);
  std::string expected;
  const auto add = [&](const std::string& bytes) {
    plain.append(Payload(bytes));
    expected += bytes;
  };
  for (int i = 0; i < 10; ++i) add(noise(10, 1));
  add(noise(1500, 2));
  for (int i = 0; i < 10; ++i) add(noise(10, 3));
  add(noise(2000, 4));
  pair.client->transport->send(plain);
  EXPECT_TRUE(plain.empty());
  std::string wire = pair.client->wire();
  EXPECT_EQ(record_lengths(wire).size(), 1U);
  pair.server->transport->received(wire);
  EXPECT_TRUE(pair.server->delivered == expected);

  add(noise(100'000, 5));
  add(noise(3000, 6));
  pair.client->transport->send(plain);
  wire = pair.client->wire();
  EXPECT_EQ(record_lengths(wire).size(), (103'000U + 16383) / 16384);
  pair.server->transport->received(wire);
  EXPECT_TRUE(pair.server->delivered == expected);
}

TEST_P(TlsBytes, close_notify_ends_the_stream_and_the_other_way_goes_on) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  pair.client->send("last words");
  pair.client->transport->finish(Reason::normal());
  pair.server->transport->received(pair.client->wire());
  EXPECT_EQ(pair.server->delivered, "last words");
  EXPECT_TRUE(pair.server->ended);
  pair.server->transport->received_end();  // the FIN after it
  EXPECT_FALSE(pair.server->failed) << pair.why();
  pair.server->send("answer");
  EXPECT_EQ(record_lengths(pair.server->wire()).size(), 1U);
  pair.server->transport->finish(Reason::normal());
  EXPECT_EQ(record_lengths(pair.server->wire()).size(), 1U);
  pair.server->transport->finish(Reason::normal());
  EXPECT_EQ(pair.server->wire(), "");
}

TEST_P(TlsBytes, an_end_without_close_notify_is_a_truncation) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  pair.client->send("half of the");
  pair.server->transport->received(pair.client->wire());
  pair.server->transport->received_end();
  EXPECT_EQ(pair.server->delivered, "half of the");
  EXPECT_FALSE(pair.server->ended);
  ASSERT_TRUE(pair.server->failed);
  EXPECT_EQ(pair.server->failed->text(),
            "protocol_error: TLS: the connection was cut: it ended without close_notify "
            "(truncated)");
}

TEST_P(TlsBytes, truncation_can_be_tolerated_but_not_within_a_record) {
  world.server_options.tolerate_truncation = true;
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  pair.server->transport->received_end();
  EXPECT_TRUE(pair.server->ended);
  EXPECT_FALSE(pair.server->failed);

  TlsPair cut(world);
  ASSERT_TRUE(cut.shake().ready()) << cut.why();
  cut.client->send("a record");
  const std::string wire = cut.client->wire();
  cut.server->transport->received(BytesView(wire).substr(0, wire.size() - 1));
  cut.server->transport->received_end();
  EXPECT_FALSE(cut.server->ended);
  ASSERT_TRUE(cut.server->failed);
  EXPECT_NE(cut.server->failed->text().find("within a record"), std::string::npos);
}

TEST_P(TlsBytes, an_end_behind_a_hold_waits_for_its_bytes) {
  for (const bool says_goodbye : {true, false}) {
    TlsPair pair(world);
    ASSERT_TRUE(pair.shake().ready()) << pair.why();
    pair.server->held = true;
    pair.client->send("held back");
    if (says_goodbye) pair.client->transport->finish(Reason::normal());
    pair.server->transport->received(pair.client->wire());
    pair.server->transport->received_end();
    EXPECT_FALSE(pair.server->ended || pair.server->failed);
    pair.server->let_go();
    EXPECT_EQ(pair.server->delivered, "held back");
    EXPECT_EQ(pair.server->ended, says_goodbye);
    EXPECT_EQ(pair.server->failed.has_value(), !says_goodbye);
  }
}

TEST_P(TlsBytes, a_changed_byte_is_noticed) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  pair.client->send("pay alice 10");
  std::string wire = pair.client->wire();
  wire[10] = static_cast<char>(wire[10] ^ 1);
  pair.server->transport->received(wire);
  EXPECT_EQ(pair.server->delivered, "");
  ASSERT_TRUE(pair.server->failed);
  EXPECT_EQ(pair.server->failed->kind(), Reason::Kind::protocol_error);
  pair.client->transport->received(pair.server->wire());
  ASSERT_TRUE(pair.client->failed);
  EXPECT_NE(pair.client->failed->text().find("alert \"bad record mac\""), std::string::npos)
      << pair.client->failed->text();
}

TEST_P(TlsBytes, hibernating_changes_nothing_one_can_see) {
  TlsPair pair(world);
  ASSERT_TRUE(pair.shake().ready()) << pair.why();
  for (int i = 0; i < 3; ++i) {
    pair.client->transport->hibernate();
    pair.server->transport->hibernate();
    pair.client->send("ping");
    pair.run(1);
    pair.server->send("pong");
    pair.run(3);
  }
  EXPECT_EQ(pair.server->delivered, "pingpingping");
  EXPECT_EQ(pair.client->delivered, "pongpongpong");
  // In the middle of a record, too.
  pair.client->send("ping");
  const std::string wire = pair.client->wire();
  pair.server->transport->received(BytesView(wire).substr(0, 9));
  pair.server->transport->hibernate();
  pair.server->transport->received(BytesView(wire).substr(9));
  EXPECT_EQ(pair.server->delivered, "pingpingpingping");
}

}  // namespace
}  // namespace hawser
