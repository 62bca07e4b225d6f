// permessage-deflate (RFC 7692): what is negotiated, what is compressed, and what a bomb does.
#include <hawser/net/testing/websocket_ends.hpp>
#include <hawser/net/websocket/detail/deflate.hpp>
#include <hawser/net/websocket/detail/extensions.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hawser {
namespace {

using namespace hawser::testing;
using websocket::agree_deflate;
using websocket::choose_deflate;
using websocket::offer_deflate;

/// "ours 15 peer 12 keep" and so on, or the error.
std::string shown(const websocket::DeflateAgreement& agreed) {
  if (!agreed.on) return "off";
  return "ours " + std::to_string(agreed.our_bits) + (agreed.our_takeover ? "+" : "-") +
         (agreed.compress ? "" : "!") + " peer " + std::to_string(agreed.peer_bits) +
         (agreed.peer_takeover ? "+" : "-");
}

WebSocketDeflate keeping() {
  return {.enabled = true, .no_context_takeover = false, .peer_no_context_takeover = false};
}

TEST(WebSocketDeflateNegotiation, a_server_chooses) {
  const auto chosen = [](std::string_view offers, WebSocketDeflate options) {
    const auto choice = choose_deflate(offers, options);
    if (!choice) return "error: " + choice.error().detail;
    return shown(choice->agreement) + (choice->answer.empty() ? "" : " | " + choice->answer);
  };
  const WebSocketDeflate both = keeping();
  EXPECT_EQ(chosen("", both), "off");
  EXPECT_EQ(chosen("permessage-deflate", {}), "off");
  EXPECT_EQ(chosen("permessage-deflate", both), "ours 15+ peer 15+ | permessage-deflate");
  EXPECT_EQ(chosen("permessage-deflate", {.enabled = true}),
            "ours 15- peer 15- | permessage-deflate; server_no_context_takeover; "
            "client_no_context_takeover");
  EXPECT_EQ(chosen("permessage-deflate; client_max_window_bits", both),
            "ours 15+ peer 15+ | permessage-deflate");
  auto small = both;
  small.window_bits = 10;
  small.peer_window_bits = 9;
  EXPECT_EQ(chosen("permessage-deflate; client_max_window_bits", small),
            "ours 10+ peer 9+ | permessage-deflate; server_max_window_bits=10; "
            "client_max_window_bits=9");
  EXPECT_EQ(chosen("permessage-deflate", small),
            "ours 10+ peer 15+ | permessage-deflate; server_max_window_bits=10")
      << "a client that does not offer it cannot be told";
  EXPECT_EQ(
      chosen("permessage-deflate; server_max_window_bits=12; client_max_window_bits=\"11\"", both),
      "ours 12+ peer 11+ | permessage-deflate; server_max_window_bits=12; "
      "client_max_window_bits=11");
  EXPECT_EQ(chosen("permessage-deflate; server_max_window_bits=8", both),
            "ours 8+! peer 15+ | permessage-deflate; server_max_window_bits=8");
  EXPECT_EQ(
      chosen("permessage-deflate; server_no_context_takeover; client_no_context_takeover", both),
      "ours 15- peer 15- | permessage-deflate; server_no_context_takeover; "
      "client_no_context_takeover");
  EXPECT_EQ(chosen("x-webkit-deflate-frame, permessage-deflate", both),
            "ours 15+ peer 15+ | permessage-deflate");
  // Declined offers, then one that will do.
  for (const std::string bad :
       {"server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16",
        "server_max_window_bits=08", "client_max_window_bits=0", "server_no_context_takeover=1",
        "unknown", "client_max_window_bits; client_max_window_bits",
        "server_no_context_takeover; server_no_context_takeover"}) {
    EXPECT_EQ(chosen("permessage-deflate; " + bad, both), "off") << bad;
    EXPECT_EQ(chosen("permessage-deflate; " + bad + ", permessage-deflate", both),
              "ours 15+ peer 15+ | permessage-deflate");
  }
  for (const std::string bad :
       {";", "a b", "permessage-deflate; x=", "permessage-deflate; x=\"y", "permessage-deflate;"}) {
    EXPECT_TRUE(chosen(bad, both).starts_with("error")) << bad;
  }
}

TEST(WebSocketDeflateNegotiation, a_client_offers_and_judges) {
  EXPECT_EQ(offer_deflate({}), "");
  EXPECT_EQ(offer_deflate(keeping()), "permessage-deflate; client_max_window_bits");
  EXPECT_EQ(offer_deflate({.enabled = true, .window_bits = 10, .peer_window_bits = 11}),
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover; "
            "client_max_window_bits=10; server_max_window_bits=11");
  const auto agreed = [](std::string_view answer, const WebSocketDeflate& options) {
    const auto agreement = agree_deflate(answer, options);
    return agreement ? shown(*agreement) : "error";
  };
  EXPECT_EQ(agreed("", keeping()), "off");
  EXPECT_EQ(agreed("permessage-deflate", keeping()), "ours 15+ peer 15+");
  EXPECT_EQ(agreed("permessage-deflate; client_no_context_takeover", keeping()),
            "ours 15- peer 15+");
  EXPECT_EQ(agreed("permessage-deflate; server_no_context_takeover; server_max_window_bits=10; "
                   "client_max_window_bits=11",
                   keeping()),
            "ours 11+ peer 10-");
  EXPECT_EQ(agreed("permessage-deflate; client_max_window_bits=8", keeping()), "ours 8+! peer 15+");
  for (const std::string_view bad :
       {"permessage-deflate, permessage-deflate", "other", "permessage-deflate; unknown",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=7", ";"}) {
    EXPECT_EQ(agreed(bad, keeping()), "error") << bad;
  }
  EXPECT_EQ(agreed("permessage-deflate", {}), "error") << "it was not offered";
  auto small = keeping();
  small.peer_window_bits = 9;
  EXPECT_EQ(agreed("permessage-deflate; server_max_window_bits=10", small), "error");
}

class WebSocketDeflated : public ::testing::Test {
 protected:
  std::unique_ptr<TransportEnd> server(WebSocketServerOptions options,
                                       std::string_view offer = "") {
    options.deflate.enabled = true;
    return world.open_server(
        options, "Sec-WebSocket-Extensions: permessage-deflate" + std::string(offer) + "\r\n");
  }
  /// `messages` after another through one peer's compressor, as frames.
  std::string deflated(std::string_view plain, std::size_t fragment = SIZE_MAX) {
    std::string packed;
    peer.add(plain, packed);
    peer.finish(packed);
    std::string wire;
    unsigned opcode = 1;
    for (std::size_t at = 0; at < packed.size() || at == 0;) {
      const std::string piece = packed.substr(at, fragment);
      at += piece.size();
      wire += wire_of({opcode, piece, at == packed.size(), opcode == 1 ? 4U : 0U, true});
      opcode = 0;
    }
    return wire;
  }
  WebSocketWorld world;
  websocket::Deflater peer{{}};
};

TEST_F(WebSocketDeflated, inflates_the_examples_of_the_rfc) {
  const auto fed = [&](const std::vector<WireFrame>& frames) {
    auto end = server({.deflate = keeping()});
    for (WireFrame frame : frames) {
      frame.masked = true;
      for (const char c : wire_of(frame)) {
        if (!end->failed) end->transport->received(BytesView(&c, 1));
      }
    }
    EXPECT_FALSE(end->failed) << end->failed->text();
    return end->deliveries;
  };
  using Messages = std::vector<std::string>;
  const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
  EXPECT_EQ(fed({{1, hello, true, 4}}), Messages{"Hello"});
  EXPECT_EQ(fed({{1, hello.substr(0, 3), false, 4}, {9, "p"}, {0, hello.substr(3), true, 0}}),
            Messages{"Hello"});
  // The second refers to the first.
  EXPECT_EQ(fed({{1, hello, true, 4}, {1, std::string("\xf2\x00\x11\x00\x00", 5), true, 4}}),
            (Messages{"Hello", "Hello"}));
  EXPECT_EQ(fed({{1, std::string("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11), true, 4}}),
            Messages{"Hello"});
  // A final block, with and without the empty one that should follow it.
  EXPECT_EQ(
      fed({{1, std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8), true, 4}, {1, hello, true, 4}}),
      (Messages{"Hello", "Hello"}));
  EXPECT_EQ(
      fed({{1, std::string("\xf3\x48\xcd\xc9\xc9\x07\x00", 7), true, 4}, {1, hello, true, 4}}),
      (Messages{"Hello", "Hello"}));
  // Two blocks in one message; an empty message; one that is not compressed.
  EXPECT_EQ(
      fed({{1, std::string("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13), true, 4},
           {1, std::string(1, '\0'), true, 4},
           {1, "plain", true, 0}}),
      (Messages{"Hello", "", "plain"}));
}

TEST_F(WebSocketDeflated, refuses_what_is_no_deflate_and_rsv1_out_of_place) {
  const auto failed = [&](std::string_view wire) -> unsigned {
    const auto end = server({.deflate = keeping()});
    for (const char c : wire) {
      if (!end->failed) end->transport->received(BytesView(&c, 1));
    }
    return end->failed ? close_code_of(frames_of(end->wire()).at(0)) : 0;
  };
  EXPECT_EQ(failed(wire_of({2, "\xff\xff\xff\xff", true, 4, true})), 1007U);
  EXPECT_EQ(failed(wire_of({2, "\xf2\x48\xcd", true, 4, true})), 1007U) << "cut short";
  EXPECT_EQ(failed(wire_of({9, "", true, 4, true})), 1002U);
  EXPECT_EQ(failed(wire_of({2, "a", false, 0, true}) + wire_of({0, "b", true, 4, true})), 1002U);
  EXPECT_EQ(failed(wire_of({2, "", true, 6, true})), 1002U);
  EXPECT_EQ(failed(deflated("abc\xff")), 1007U) << "UTF-8 counts when inflated";
}

TEST_F(WebSocketDeflated, a_bomb_costs_no_more_than_the_limit) {
  const std::string bomb = deflated(std::string(50 << 20, 'x'));
  ASSERT_LT(bomb.size(), 100'000U);
  for (const std::size_t piece : {bomb.size(), std::size_t{1000}}) {
    const auto end = server({.message_limit = 1 << 20});
    for (std::size_t at = 0; at < bomb.size() && !end->failed; at += piece)
      end->transport->received(BytesView(bomb).substr(at, piece));
    ASSERT_TRUE(end->failed);
    EXPECT_NE(end->failed->text().find("message_limit"), std::string::npos);
    EXPECT_EQ(close_code_of(frames_of(end->wire()).at(0)), 1009U);
  }
  peer.reset();
  const auto end = server({.message_limit = 1 << 20});
  end->transport->received(deflated(std::string(1 << 20, 'x'), 50));
  ASSERT_FALSE(end->failed);
  EXPECT_EQ(end->delivered.size(), 1U << 20);
}

TEST_F(WebSocketDeflated, compresses_from_the_minimum_on_and_only_what_shrinks) {
  const auto end = server({.deflate = {.minimum_size = 100}});
  const std::string long_text(100, 'x');
  end->send(std::string(99, 'x'));
  end->send(long_text);
  std::string noise(100, '\0');
  Random random(3);
  for (char& c : noise) c = static_cast<char>(random.next());
  end->send(noise);
  const auto frames = frames_of(end->wire());
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].rsv, 0U);
  EXPECT_EQ(frames[1].rsv, 4U);
  EXPECT_LT(frames[1].payload.size(), 20U);
  EXPECT_EQ(frames[2].rsv, 0U);
  EXPECT_EQ(frames[2].payload, noise);
}

TEST_F(WebSocketDeflated, contexts_are_taken_over_only_where_agreed) {
  for (const bool takeover : {true, false}) {
    const auto end = server({.deflate = takeover ? keeping() : WebSocketDeflate{}});
    Random random(5);
    std::string noise(2000, '\0');
    for (char& c : noise) c = static_cast<char>('a' + random.below(26));
    end->send(noise);
    end->send(noise);
    const auto frames = frames_of(end->wire());
    ASSERT_EQ(frames.size(), 2U);
    if (takeover) {
      EXPECT_LT(frames[1].payload.size(), 100U) << "the second refers to the first";
      end->transport->hibernate();
      end->send(noise);
      EXPECT_GT(frames_of(end->wire()).at(0).payload.size(), 1000U) << "and may forget it";
    } else {
      EXPECT_EQ(frames[0].payload, frames[1].payload);
    }
  }
}

}  // namespace
}  // namespace hawser
