// The streams of permessage-deflate by themselves: messages of every size, the empty one included,
// with and without the window carried over.
#include <hawser/net/websocket/detail/deflate.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace hawser::websocket {
namespace {

std::string deflated(Deflater& deflater, BytesView message) {
  std::string out = "head";  // finish() appends to what is there
  deflater.add(message, out);
  deflater.finish(out);
  return out.substr(4);
}

std::string inflated(Inflater& inflater, std::string bytes) {
  bytes += Inflater::tail;
  BytesView input = bytes;
  std::string out;
  std::array<char, 64> piece{};
  while (true) {
    const std::size_t got = inflater.run(input, piece);
    out.append(piece.data(), got);
    if (got < piece.size() && input.empty()) return out;
  }
}

TEST(Deflater, EmptyMessagesInARowAreAZeroByteEach) {
  Deflater deflater({.window_bits = 15, .level = 6, .memory_level = 8});
  Inflater inflater(15);
  for (int i = 0; i < 3; ++i) {
    const std::string wire = deflated(deflater, "");
    EXPECT_EQ(wire, std::string(1, '\0'));
    EXPECT_EQ(inflated(inflater, wire), "");
  }
}

TEST(Deflater, AnEmptyMessageAfterAFullOneLeavesTheWindowAlone) {
  for (int level = 1; level <= 9; ++level) {
    for (int memory = 1; memory <= 9; ++memory) {
      Deflater deflater({.window_bits = 9, .level = level, .memory_level = memory});
      Inflater inflater(9);
      for (const auto& message : {std::string("hello"), std::string(), std::string("hello"),
                                  std::string(5000, 'x'), std::string(), std::string()}) {
        EXPECT_EQ(inflated(inflater, deflated(deflater, message)), message);
      }
    }
  }
}

}  // namespace
}  // namespace hawser::websocket
