// Tagged packets: their form, and every kind of wrong echo.
#include <bench/load/packets.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace hawser::bench {
namespace {

Bytes packets(std::uint32_t connection, std::size_t payload, int count) {
  PacketSource source(connection, payload);
  Bytes out;
  for (int i = 0; i < count; ++i) source.append_next(out);
  return out;
}

TEST(PacketsTest, APacketIsItsLengthATagAndBytesThatFollowFromIt) {
  const Bytes two = packets(0x01020304, 10, 2);
  ASSERT_EQ(two.size(), 24U);
  EXPECT_EQ(two.substr(0, 10), std::string("\0\x0a\1\2\3\4\0\0\0\0", 10));
  EXPECT_EQ(two.substr(12, 10), std::string("\0\x0a\1\2\3\4\0\0\0\1", 10));
  EXPECT_NE(two.substr(10, 2), two.substr(22, 2));
}

TEST(PacketsTest, ShortPacketsDifferToo) {
  std::set<Bytes> seen;
  for (std::uint32_t connection = 0; connection < 64; ++connection) {
    const Bytes some = packets(connection, 4, 16);
    for (std::size_t at = 0; at < some.size(); at += 6) seen.insert(some.substr(at, 6));
  }
  EXPECT_EQ(seen.size(), 64U * 16U);
}

TEST(PacketsTest, TrueEchoesAreCountedHoweverTheyAreCut) {
  for (const std::size_t payload : {0U, 1U, 4U, 7U, 8U, 9U, 300U}) {
    const Bytes all = packets(3, payload, 5);
    for (std::size_t piece = 1; piece <= all.size(); ++piece) {
      EchoChecker checker(3, payload);
      std::size_t counted = 0;
      for (std::size_t at = 0; at < all.size(); at += piece) {
        const auto taken = checker.take(BytesView(all).substr(at, piece));
        ASSERT_TRUE(taken) << taken.error().text();
        counted += *taken;
      }
      ASSERT_EQ(counted, 5U);
      ASSERT_EQ(checker.seen(), 5U);
      ASSERT_EQ(checker.pending(), 0U);
    }
  }
}

TEST(PacketsTest, AnUnfinishedPacketIsPending) {
  EchoChecker checker(3, 4);
  const Bytes one = packets(3, 4, 1);
  EXPECT_EQ(checker.take(BytesView(one).substr(0, 5)).value(), 0U);
  EXPECT_EQ(checker.pending(), 5U);
}

TEST(PacketsTest, EveryFlippedByteIsFound) {
  for (const std::size_t payload : {4U, 8U, 40U}) {
    const Bytes good = packets(9, payload, 2);
    for (std::size_t at = 0; at < good.size(); ++at) {
      Bytes bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0x40);
      EchoChecker whole(9, payload);
      ASSERT_FALSE(whole.take(bad)) << "payload " << payload << ", byte " << at;
      EchoChecker cut(9, payload);  // the same for a packet that came in two pieces
      const bool first = cut.take(BytesView(bad).substr(0, 1)).has_value();
      ASSERT_FALSE(first && cut.take(BytesView(bad).substr(1)).has_value());
    }
  }
}

TEST(PacketsTest, SwappedDoubledLostAndForeignPacketsAreFound) {
  for (const std::size_t payload : {4U, 8U}) {
    const std::size_t size = payload + 2;
    const Bytes three = packets(1, payload, 3);
    const Bytes swapped = three.substr(size, size) + three.substr(0, size);
    EXPECT_FALSE(EchoChecker(1, payload).take(swapped));
    const Bytes doubled = three.substr(0, size) + three.substr(0, size);
    EXPECT_FALSE(EchoChecker(1, payload).take(doubled));
    const Bytes lost = three.substr(0, size) + three.substr(2 * size, size);
    EXPECT_FALSE(EchoChecker(1, payload).take(lost));
    const auto foreign = EchoChecker(2, payload).take(three);
    ASSERT_FALSE(foreign);
    EXPECT_EQ(foreign.error().kind, ErrorKind::protocol_error);
    EXPECT_EQ(foreign.error().text(), "echo: connection 2, packet 0: wrong bytes");
  }
}

}  // namespace
}  // namespace hawser::bench
