// Every framing over any bytes: cut() stays inside them, however they are split, and gives the same
// packets either way.
#include <hawser/base/check.hpp>
#include <hawser/net/framing.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace hawser;

struct Outcome {
  std::vector<std::string> packets;
  bool failed = false;
};

/// `step` bytes arrive at a time; each buffer is its own allocation, so that a read past its end is
/// seen by the sanitizer.
Outcome cut_all(const Framing& framing, BytesView bytes, std::size_t step) {
  Outcome outcome;
  std::string held;
  std::size_t scanned = 0;
  while (!bytes.empty()) {
    const std::size_t size = std::min(step, bytes.size());
    if (!held.empty()) {
      const std::size_t reach = framing.reach(held, bytes.substr(0, size));
      check(reach >= 1 && reach <= size, "reach");
    }
    held += bytes.substr(0, size);
    bytes.remove_prefix(size);
    while (!held.empty()) {
      const std::vector<char> exact(held.begin(), held.end());
      const BytesView view(exact.data(), exact.size());
      const Cut cut = framing.cut(view, scanned);
      if (cut.kind == Cut::Kind::need_more) {
        check(cut.scanned <= held.size(), "scanned");
        check(cut.wanted == 0 || cut.wanted > held.size(), "wanted");
        scanned = cut.scanned;
        break;
      }
      if (cut.kind == Cut::Kind::error) {
        check(!framing.fault(view).empty(), "fault");
        outcome.failed = true;
        return outcome;
      }
      check(cut.consumed >= 1 && cut.consumed <= held.size(), "consumed");
      check(cut.offset <= cut.consumed && cut.size <= cut.consumed - cut.offset, "packet");
      check(cut.size <= framing.maximum(), "maximum");
      outcome.packets.push_back(held.substr(cut.offset, cut.size));
      held.erase(0, cut.consumed);
      scanned = 0;
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const std::vector<Framing> framings = {
      length_prefixed(1),
      length_prefixed(2),
      length_prefixed(4, {.maximum = 300}),
      length_prefixed(8, {.maximum = 300}),
      length_prefixed(2, {.maximum = 300, .order = ByteOrder::little}),
      varint_prefixed({.maximum = 300}),
      decimal_prefixed(3, {.maximum = 300}),
      fixed_size(3),
      line({.maximum = 30}),
      line({.maximum = 30, .strip_cr = false}),
      delimiter("|-|", {.maximum = 30}),
      delimiter("aaab", {.maximum = 30})};
  const Framing& framing = framings[data[0] % framings.size()];
  const std::size_t step = 1 + data[1] % 16U;
  const BytesView bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = cut_all(framing, bytes, bytes.size() + 1);
  const Outcome split = cut_all(framing, bytes, step);
  check(whole.packets == split.packets && whole.failed == split.failed,
        "the split changed the packets");
  return 0;
}
