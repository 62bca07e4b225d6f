// Compressed bodies, whole and cut everywhere; and JSON.
#include <hawser/stomp/gunzip.hpp>

#include <hawser/stomp/json.hpp>

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace hawser::stomp {
namespace {

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(GunzipTest, Stomp_F_06_InflatesWhateverTheCuts) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "<Pport n=" + std::to_string(i) + "/>";
  const std::string packed = gzip(text) + gzip("!");
  for (std::size_t cut = 0; cut <= packed.size(); ++cut) {
    Gunzip gunzip;
    std::string out;
    const auto take = [&](BytesView part) { out += part; };
    ASSERT_TRUE(gunzip.feed(BytesView(packed).substr(0, cut), take));
    ASSERT_TRUE(gunzip.feed(BytesView(packed).substr(cut), take));
    ASSERT_TRUE(gunzip.finish());
    ASSERT_EQ(out, text + "!");
  }
}

TEST(GunzipTest, SaysWhatIsWrong) {
  const std::string packed = gzip(std::string(100'000, 'x'));
  EXPECT_EQ(gunzip(packed)->size(), 100'000u);
  EXPECT_EQ(gunzip(packed, 1000).error().kind, ErrorKind::overloaded);
  EXPECT_EQ(gunzip("plain text").error().kind, ErrorKind::protocol_error);
  EXPECT_EQ(gunzip(packed.substr(0, packed.size() - 1)).error().kind, ErrorKind::protocol_error);
  std::string damaged = packed;
  damaged[damaged.size() - 6] ^= 1;  // the check sum
  EXPECT_EQ(gunzip(damaged).error().kind, ErrorKind::protocol_error);
}

TEST(JsonTest, ReadsEveryKind) {
  const auto json = parse_json(
      R"( {"a":[1,-2.5e3,true,false,null,"x\n\u00e9\ud83d\ude00"],"big":18446744073709551615,"o":{}} )");
  ASSERT_TRUE(json) << json.error().text();
  const Json::Array& array = *json->find("a")->array();
  EXPECT_EQ(*array[0].integer(), 1);
  EXPECT_EQ(*array[1].real(), -2500.0);
  EXPECT_TRUE(*array[2].boolean());
  EXPECT_TRUE(array[4].is_null());
  EXPECT_EQ(*array[5].text(), "x\n\u00e9\U0001F600");
  EXPECT_NE(json->find("big")->real(), nullptr);
  EXPECT_TRUE(json->find("o")->object()->empty());
  EXPECT_EQ(json->find("none"), nullptr);
}

TEST(JsonTest, RefusesWhatIsNone) {
  for (const char* text :
       {"",         " ",      "{",   "[1,]", "{\"a\"}", "{\"a\":1,}", "01",
        "1.",       "1e",     "-",   "nul",  "\"a",     "\"\\x\"",    "\"\\ud800\"",
        "\"\xff\"", "\"\t\"", "1 2", "[1",   "{1:2}",   "1e999"}) {
    const auto json = parse_json(text);
    ASSERT_FALSE(json) << text;
    EXPECT_EQ(json.error().kind, ErrorKind::protocol_error);
  }
  EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(parse_json(std::string(65, '[') + std::string(65, ']')));
}

}  // namespace
}  // namespace hawser::stomp
