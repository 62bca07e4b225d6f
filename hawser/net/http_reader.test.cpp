// HTTP messages in any pieces, their limits, and the words of URLs.
#include <hawser/net/http_reader.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace hawser {
namespace {

using Of = HttpReader::Of;
using State = HttpReader::State;

/// Read whole, byte by byte and cut in two everywhere: all must tell the same.
HttpReader read(Of kind, const std::string& text, bool ends = false, HttpLimits limits = {}) {
  HttpReader whole(kind, limits);
  whole.put(text);
  if (ends) whole.end();
  const auto compare = [&](HttpReader& other) {
    if (ends) other.end();
    EXPECT_EQ(other.state(), whole.state()) << text;
    EXPECT_EQ(other.fault_status(), whole.fault_status()) << text;
    const bool is_done = whole.state() == State::done;
    EXPECT_TRUE(!is_done || other.body() == whole.body()) << text;
  };
  HttpReader bytes(kind, limits);
  for (const char c : text) bytes.put(BytesView(&c, 1));
  compare(bytes);
  for (std::size_t at = 0; at <= text.size(); ++at) {
    HttpReader halves(kind, limits);
    halves.put(BytesView(text).substr(0, at));
    halves.put(BytesView(text).substr(at));
    compare(halves);
  }
  return whole;
}

TEST(HttpReader, ReadsRequestsInAnyPieces) {
  const HttpReader plain = read(Of::request, "GET /guests?types=a HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_EQ(plain.state(), State::done);
  EXPECT_EQ(plain.request().method(), "GET");
  EXPECT_EQ(plain.request().path(), "/guests");
  EXPECT_EQ(plain.request().query(), "types=a");
  EXPECT_EQ(plain.body(), "");
  const HttpReader form =
      read(Of::request, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nname=surplus");
  ASSERT_EQ(form.state(), State::done);
  EXPECT_EQ(form.body(), "name=") << "what follows belongs to nobody";
  EXPECT_EQ(read(Of::request, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").state(),
            State::done);
}

TEST(HttpReader, ReadsResponsesByLengthChunksOrEnd) {
  const HttpReader length = read(Of::response, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_EQ(length.state(), State::done);
  EXPECT_EQ(length.status(), 200);
  EXPECT_EQ(length.body(), "abc");
  const HttpReader chunks = read(Of::response,
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nabc\r\nA;why=not\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n");
  ASSERT_EQ(chunks.state(), State::done);
  EXPECT_EQ(chunks.body(), "abc0123456789");
  EXPECT_EQ(
      read(Of::response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").state(),
      State::done);
  const std::string endless = "HTTP/1.0 200 OK\r\n\r\nall of it";
  EXPECT_EQ(read(Of::response, endless).state(), State::need_more);
  const HttpReader ended = read(Of::response, endless, true);
  ASSERT_EQ(ended.state(), State::done);
  EXPECT_EQ(ended.body(), "all of it");
  EXPECT_EQ(read(Of::response, "HTTP/1.1 204 No Content\r\n\r\n").state(), State::done);
}

TEST(HttpReader, WhatIsCutOffIsNoMessage) {
  for (const char* text :
       {"", "GET / HT", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"}) {
    const HttpReader cut = read(Of::request, text, true);
    EXPECT_EQ(cut.state(), State::failed) << text;
    EXPECT_EQ(cut.fault_status(), 400);
    EXPECT_FALSE(cut.fault().empty());
  }
  EXPECT_EQ(
      read(Of::response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true)
          .state(),
      State::failed);
}

TEST(HttpReader, LimitsAreLimits) {
  const HttpLimits limits{.head = 200, .body = 10};
  const auto fault = [&](Of kind, const std::string& text) {
    return read(kind, text, false, limits).fault_status();
  };
  EXPECT_EQ(fault(Of::request, "GET /" + std::string(300, 'x') + " HTTP/1.1\r\n\r\n"), 431);
  EXPECT_EQ(fault(Of::request, "GET / HTTP/1.1\r\nContent-Length: 11\r\n\r\n"), 413);
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(fault(Of::response, chunked + "B\r\n"), 413);
  EXPECT_EQ(fault(Of::response, chunked + "6\r\nabcdef\r\n6\r\n"), 413);
  EXPECT_EQ(fault(Of::response, chunked + "FFFFFFFFFFFFFFFF\r\n"), 413);
  EXPECT_EQ(fault(Of::response, chunked + "0\r\n" + std::string(300, 'x')), 431);
  EXPECT_EQ(fault(Of::response, chunked + std::string(300, '1')), 400);
  EXPECT_EQ(fault(Of::response, "HTTP/1.1 200 OK\r\n\r\n" + std::string(11, 'x')), 413);
}

TEST(HttpReader, WrongMessagesAreNamed) {
  const auto fault = [&](const std::string& text) {
    return read(Of::request, text).fault_status();
  };
  EXPECT_EQ(fault("nonsense\r\n\r\n"), 400);
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(fault(post + "Content-Length: many\r\n\r\n"), 400);
  EXPECT_EQ(fault(post + "Content-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(fault(post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  EXPECT_EQ(fault(post + "Transfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(fault(post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), 400);
  EXPECT_EQ(fault(post + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"), 400);
}

TEST(HttpReader, WhatWeWriteWeRead) {
  const HttpReader request =
      read(Of::request, http_request_text("GET", "/guests?types=[owned]", "10.0.0.1:8081"));
  ASSERT_EQ(request.state(), State::done);
  EXPECT_EQ(request.request().header("host"), "10.0.0.1:8081");
  const HttpReader response = read(
      Of::response, http_response_text({.status = 418, .body = "{}", .headers = {{"x-y", "z"}}}));
  ASSERT_EQ(response.state(), State::done);
  EXPECT_EQ(response.status(), 418);
  EXPECT_EQ(response.body(), "{}");
}

TEST(Urls, AreDecodedAndEncoded) {
  EXPECT_EQ(url_decode("a+b%20c%41%zz%4"), "a b cA%zz%4");
  EXPECT_EQ(url_encode("a b\"\xc3\xa9~"), "a%20b%22%C3%A9~");
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(url_decode(url_encode(all)), all);
}

TEST(Urls, FormsHaveValues) {
  bool found = false;
  EXPECT_EQ(form_value("name=my%20lab&on=true", "on", &found), "true");
  EXPECT_TRUE(found);
  EXPECT_EQ(form_value("name=my%20lab&on=true", "name"), "my lab");
  EXPECT_EQ(form_value("on&on=2", "on", &found), "") << "the first of that name";
  EXPECT_TRUE(found);
  EXPECT_EQ(form_value("&&=x&none", "on", &found), "");
  EXPECT_FALSE(found);
}

}  // namespace
}  // namespace hawser
