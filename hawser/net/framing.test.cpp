// Framings: what is encoded comes out again however it was split, and what breaks a rule is
// refused.
#include <hawser/net/framing.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/uio.h>

#include <memory>
#include <string>
#include <vector>

namespace hawser {
namespace {

/// One digit, then so many bytes: the simplest framing of a user's own.
class DigitFraming final : public CustomFraming {
 public:
  Cut cut(BytesView buffered, std::size_t) const override {
    if (buffered[0] < '0' || buffered[0] > '9') return Cut::error();
    const auto size = static_cast<std::size_t>(buffered[0] - '0');
    return buffered.size() <= size ? Cut::need_more(size + 1) : Cut::packet(1, size, size + 1);
  }
  std::string fault(BytesView) const override { return "no digit"; }
  Result<void> encode(BytesView payload, SendQueue& queue) const override {
    if (payload.size() > 9)
      return std::unexpected(Error{ErrorKind::overloaded, 0, "send", "over 9"});
    queue.append(std::string(1, static_cast<char>('0' + payload.size())));
    queue.append(payload);
    return {};
  }
};

std::string content(const SendQueue& queue) {
  std::vector<iovec> vectors(1024);
  const std::size_t count = queue.gather(vectors);
  std::string all;
  for (std::size_t i = 0; i < count; ++i)
    all.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  return all;
}

struct CutUp {
  std::vector<std::string> packets;
  bool failed = false;
  std::size_t left = 0;
  bool operator==(const CutUp&) const = default;
};

/// Cuts as a connection does: the whole buffer again and again, with the scan offset carried.
CutUp cut_all(const Framing& framing, const std::vector<std::string>& pieces) {
  CutUp outcome;
  std::string held;
  std::size_t scanned = 0;
  for (const auto& piece : pieces) {
    held += piece;
    for (;;) {
      if (held.empty()) break;
      const Cut cut = framing.cut(held, scanned);
      if (cut.kind == Cut::Kind::need_more) {
        EXPECT_LE(cut.scanned, held.size());
        EXPECT_TRUE(cut.wanted == 0 || cut.wanted > held.size());
        scanned = cut.scanned;
        break;
      }
      if (cut.kind == Cut::Kind::error) {
        outcome.failed = true;
        EXPECT_FALSE(framing.fault(held).empty());
        return outcome;
      }
      outcome.packets.push_back(held.substr(cut.offset, cut.size));
      held.erase(0, cut.consumed);
      scanned = 0;
    }
  }
  outcome.left = held.size();
  return outcome;
}

std::vector<std::string> split(const std::string& all, const std::vector<std::size_t>& sizes) {
  std::vector<std::string> pieces;
  std::size_t at = 0;
  for (const std::size_t size : sizes) {
    if (at >= all.size()) break;
    pieces.push_back(all.substr(at, size));
    at += pieces.back().size();
  }
  if (at < all.size()) pieces.push_back(all.substr(at));
  return pieces;
}

std::vector<std::string> bytewise(const std::string& all) {
  return split(all, std::vector<std::size_t>(all.size(), 1));
}

struct FramingCase {
  const char* name;
  Framing framing;
  const char* alphabet;
  std::size_t least;
  std::size_t most;
};

std::vector<FramingCase> cases() {
  return {
      {"length1", length_prefixed(1), "ab\n|", 0, 255},
      {"length2", length_prefixed(2), "ab\n|", 0, 600},
      {"length4", length_prefixed(4), "ab\n|", 0, 3000},
      {"length8", length_prefixed(8), "ab\n|", 0, 300},
      {"length2 little", length_prefixed(2, {.order = ByteOrder::little}), "ab\n|", 0, 600},
      {"varint", varint_prefixed(), "ab\n|", 0, 600},
      {"decimal", decimal_prefixed(6), "ab\n|", 0, 300},
      {"fixed", fixed_size(7), "ab\n|", 7, 7},
      {"line", line(), "ab|", 0, 300},
      {"line crlf", line({.send_crlf = true}), "ab\r|", 0, 300},
      {"delimiter", delimiter("|-|"), "ab|", 0, 300},
      {"delimiter of one", delimiter(std::string_view("\0", 1)), "ab|", 0, 300},
      {"custom", custom(std::make_shared<DigitFraming>()), "ab|", 0, 9},
  };
}

TEST(Framing, Tcp_C_07_CB_01_WhatIsEncodedComesOutAgainHoweverItWasSplit) {
  for (const auto& each : cases()) {
    SCOPED_TRACE(each.name);
    ASSERT_TRUE(each.framing.validate());
    const bool held = rc::check(each.name, [&] {
      SendPool pool;
      SendQueue queue(pool);
      std::vector<std::string> sent;
      const auto count = *rc::gen::inRange<std::size_t>(0, 12);
      for (std::size_t i = 0; i < count; ++i) {
        const auto size = *rc::gen::inRange<std::size_t>(each.least, each.most + 1);
        std::string payload;
        for (std::size_t k = 0; k < size; ++k)
          payload += *rc::gen::elementOf(std::string(each.alphabet));
        const bool shared = *rc::gen::arbitrary<bool>();
        const auto before = queue.size();
        const auto encoded = shared ? each.framing.encode(Payload(payload), queue)
                                    : each.framing.encode(BytesView(payload), queue);
        if (encoded) {
          sent.push_back(payload);
        } else {
          RC_ASSERT(queue.size() == before);  // nothing of it left
        }
      }
      const std::string wire = content(queue);
      const auto sizes =
          *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 40));
      const CutUp expected{sent, false, 0};
      RC_ASSERT(cut_all(each.framing, {wire}) == expected);
      RC_ASSERT(cut_all(each.framing, bytewise(wire)) == expected);
      RC_ASSERT(cut_all(each.framing, split(wire, sizes)) == expected);
    });
    EXPECT_TRUE(held);
  }
}

TEST(Framing, BrokenBytesGiveTheSameOutcomeHoweverTheyWereSplit) {
  std::vector<FramingCase> small = cases();
  small.push_back({"line 8", line({.maximum = 8}), "", 0, 0});
  small.push_back({"delimiter 8", delimiter("|-|", {.maximum = 8}), "", 0, 0});
  small.push_back({"length1 8", length_prefixed(1, {.maximum = 8}), "", 0, 0});
  small.push_back({"varint 8", varint_prefixed({.maximum = 8}), "", 0, 0});
  small.push_back({"decimal 8", decimal_prefixed(2, {.maximum = 8}), "", 0, 0});
  for (const auto& each : small) {
    SCOPED_TRACE(each.name);
    const bool held = rc::check(each.name, [&] {
      const auto bytes = *rc::gen::container<std::string>(rc::gen::weightedOneOf<char>(
          {{4, rc::gen::elementOf(std::string("|-\r\n0123456789\0\1\2\7", 18))},
           {1, rc::gen::arbitrary<char>()}}));
      const auto sizes =
          *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 9));
      const CutUp whole = cut_all(each.framing, {bytes});
      const CutUp single = cut_all(each.framing, bytewise(bytes));
      const CutUp some = cut_all(each.framing, split(bytes, sizes));
      RC_ASSERT(whole.packets == single.packets);
      RC_ASSERT(whole.packets == some.packets);
      // A packet over the limit may be known before its end has come, never the other way round.
      RC_ASSERT(whole.failed == single.failed && whole.failed == some.failed);
    });
    EXPECT_TRUE(held);
  }
}

TEST(Framing, ReachTakesTheRestOfOnePacketAndNoMore) {
  const Framing lines = line();
  EXPECT_EQ(lines.reach("ab", "c\nd\n"), 2U);
  EXPECT_EQ(lines.reach("ab", "cd"), 2U);
  const Framing parts = delimiter("|-|");
  EXPECT_EQ(parts.reach("ab|-", "|x|-|"), 1U);
  EXPECT_EQ(parts.reach("ab|", "-|x"), 2U);
  EXPECT_EQ(parts.reach("ab", "|-|x"), 3U);
  EXPECT_EQ(parts.reach("ab|", "|-|x"), 3U);
  EXPECT_EQ(parts.reach("ab", "xyz"), 3U);
}

TEST(Framing, LongDelimiterlessInputIsScannedOnce) {
  // 1 MiB byte by byte: with the offset carried each cut looks at two bytes, without it at all.
  const Framing lines = line({.maximum = 1 << 20});
  std::string held;
  std::size_t scanned = 0;
  for (int i = 0; i < 1 << 20; ++i) {
    held += 'x';
    const Cut cut = lines.cut(held, scanned);
    ASSERT_EQ(cut.kind, Cut::Kind::need_more);
    ASSERT_EQ(cut.scanned, held.size());
    scanned = cut.scanned;
  }
}

TEST(Framing, Tcp_CB_12_AnOversizePayloadIsAnErrorBeforeOneByteIsQueued) {
  SendPool pool;
  SendQueue queue(pool);
  const Framing framing = length_prefixed(2);
  const auto encoded = framing.encode(std::string(70000, 'x'), queue);
  ASSERT_FALSE(encoded);
  EXPECT_EQ(encoded.error().detail, "packet of 70000 bytes is over the limit of 65535 (maximum)");
  EXPECT_FALSE(framing.encode(Payload(std::string(70000, 'x')), queue));
  EXPECT_FALSE(length_prefixed(1).encode(std::string(256, 'x'), queue));
  EXPECT_FALSE(line().encode(std::string_view("a\nb"), queue));
  EXPECT_FALSE(delimiter("aba").encode(std::string_view("ab"), queue));
  EXPECT_FALSE(fixed_size(3).encode(std::string_view("ab"), queue));
  EXPECT_FALSE(decimal_prefixed(1).encode(std::string(10, 'x'), queue));
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_TRUE(framing.encode(std::string(65535, 'x'), queue));
}

TEST(Framing, FaultsSayWhatAndWhichSetting) {
  EXPECT_EQ(length_prefixed(4).fault(std::string("\xff\xff\xff\xff", 4)),
            "packet of 4294967295 bytes is over the limit of 16777216 (maximum)");
  EXPECT_EQ(decimal_prefixed(6).fault("00x"), "the length of a packet is no number of 6 digits");
  EXPECT_NE(line({.maximum = 3}).fault("abcdef").find("(maximum)"), std::string::npos);
}

TEST(Framing, Tcp_CB_15_WrongArgumentsAreFoundByValidate) {
  EXPECT_FALSE(length_prefixed(3).validate());
  EXPECT_FALSE(length_prefixed(0).validate());
  EXPECT_FALSE(length_prefixed(1, {.maximum = 256}).validate());
  EXPECT_FALSE(decimal_prefixed(0).validate());
  EXPECT_FALSE(decimal_prefixed(19).validate());
  EXPECT_FALSE(decimal_prefixed(2, {.maximum = 100}).validate());
  EXPECT_FALSE(fixed_size(0).validate());
  EXPECT_FALSE(line({.maximum = 0}).validate());
  EXPECT_FALSE(delimiter("").validate());
  EXPECT_FALSE(delimiter(std::string(65, 'x')).validate());
  EXPECT_FALSE(custom(nullptr).validate());
  EXPECT_FALSE(length_prefixed(8, {.maximum = SIZE_MAX}).validate());
  EXPECT_TRUE(raw().validate());
}

TEST(Framing, TheLimitItselfIsAllowed) {
  EXPECT_EQ(cut_all(line({.maximum = 3}), bytewise("abc\r\nab\n\r\n")).packets,
            (std::vector<std::string>{"abc", "ab", ""}));
  EXPECT_TRUE(cut_all(line({.maximum = 3}), {"abcd\n"}).failed);
  EXPECT_EQ(cut_all(line({.maximum = 4, .strip_cr = false}), {"abc\r\n"}).packets,
            (std::vector<std::string>{"abc\r"}));
  EXPECT_EQ(cut_all(delimiter("--", {.maximum = 3}), bytewise("abc----")).packets,
            (std::vector<std::string>{"abc", ""}));
  EXPECT_TRUE(cut_all(delimiter("--", {.maximum = 3}), {"abcd--"}).failed);
}

}  // namespace
}  // namespace hawser
