// How fast one core reads and writes STOMP: bodies of 1 KiB, small frames, frames cut anywhere.
#include <hawser/stomp/encoder.hpp>
#include <hawser/stomp/parser.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>

namespace {

using namespace hawser;
using namespace hawser::stomp;

constexpr std::size_t receive_buffer = 64 * 1024;

Frame message(std::size_t body) {
  return Frame{Command::message,
               {{"subscription", "sub-1"},
                {"message-id", "host-4711-1758-3-1-17"},
                {"destination", "/topic/trains.movements"},
                {"content-type", "application/json"}},
               Payload(Bytes(body, 'x'))};
}

Frame small() {
  return Frame{Command::send, {{"destination", "/queue/a"}, {"receipt", "4711"}}, Payload("hello")};
}

/// Whole frames up to a receive buffer's size.
Bytes stream_of(const Frame& frame, EncodeOptions options = {}) {
  Bytes one;
  if (!encode(one, frame, Version::v1_2, options)) return {};
  Bytes stream;
  while (stream.size() + one.size() <= receive_buffer) stream += one;
  return stream;
}

/// Parses the stream again and again in pieces of `piece` octets.
void parse(benchmark::State& state, const Bytes& stream, std::size_t piece) {
  Parser parser;
  parser.set_version(Version::v1_2);
  FrameView frame;
  std::int64_t frames = 0;
  std::int64_t octets = 0;
  for (auto _ : state) {
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      BytesView input = BytesView(stream).substr(at, piece);
      while (parser.next(input, frame) == Step::frame) {
        benchmark::DoNotOptimize(frame.first("destination"));
        benchmark::DoNotOptimize(frame.body().data());
        ++frames;
      }
    }
    octets += static_cast<std::int64_t>(stream.size());
  }
  if (parser.error() != nullptr) state.SkipWithError(parser.error()->text.c_str());
  state.SetItemsProcessed(frames);
  state.SetBytesProcessed(octets);
}

void parse_1k_bodies(benchmark::State& state) {
  parse(state, stream_of(message(1024)), receive_buffer);
}
void parse_1k_bodies_without_length(benchmark::State& state) {
  parse(state, stream_of(message(1024), {.content_length = false}), receive_buffer);
}
void parse_1k_bodies_cut_every_1500(benchmark::State& state) {
  parse(state, stream_of(message(1024)), 1500);
}
void parse_small_frames(benchmark::State& state) {
  parse(state, stream_of(small()), receive_buffer);
}
void parse_small_frames_cut_every_1500(benchmark::State& state) {
  parse(state, stream_of(small()), 1500);
}
void parse_escaped_headers(benchmark::State& state) {
  Frame frame = small();
  frame.add("message-id", "ID:host:1:2:3");
  parse(state, stream_of(frame), receive_buffer);
}
void parse_4m_body_in_64k_pieces(benchmark::State& state) {
  Bytes stream;
  if (!encode(stream, message(4 * 1024 * 1024), Version::v1_2)) return;
  parse(state, stream, receive_buffer);
}

void encode_message_heads(benchmark::State& state) {
  const Payload body{Bytes(1024, 'x')};
  Bytes out;
  std::int64_t heads = 0;
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < 64; ++i) {
      HeadWriter head(out, Version::v1_2, Command::message);
      head.add("subscription", "sub-1")
          .add("message-id", "host-4711-1758-3-1-17")
          .add("destination", "/topic/trains.movements")
          .add("content-type", "application/json");
      if (!head.finish(body.view())) state.SkipWithError("refused");
    }
    benchmark::DoNotOptimize(out.data());
    heads += 64;
  }
  state.SetItemsProcessed(heads);
}

void encode_frames(benchmark::State& state, const Frame& frame) {
  Bytes out;
  std::int64_t octets = 0;
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < 64; ++i) {
      if (!encode(out, frame, Version::v1_2)) state.SkipWithError("refused");
    }
    benchmark::DoNotOptimize(out.data());
    octets += static_cast<std::int64_t>(out.size());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 64);
  state.SetBytesProcessed(octets);
}
void encode_1k_bodies(benchmark::State& state) { encode_frames(state, message(1024)); }
void encode_small_frames(benchmark::State& state) { encode_frames(state, small()); }

BENCHMARK(parse_1k_bodies);
BENCHMARK(parse_1k_bodies_without_length);
BENCHMARK(parse_1k_bodies_cut_every_1500);
BENCHMARK(parse_small_frames);
BENCHMARK(parse_small_frames_cut_every_1500);
BENCHMARK(parse_escaped_headers);
BENCHMARK(parse_4m_body_in_64k_pieces);
BENCHMARK(encode_message_heads);
BENCHMARK(encode_1k_bodies);
BENCHMARK(encode_small_frames);

}  // namespace
