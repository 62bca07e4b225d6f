// PROXY headers over any bytes: the answer is the same however they are split, stays inside them,
// and what was read can be written and read again.
#include <hawser/base/check.hpp>
#include <hawser/net/proxy_header.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using namespace hawser;
using Kind = ProxyHeaderRead::Kind;

/// Each prefix is its own allocation, so that a read past its end is seen by the sanitizer.
ProxyHeaderRead read_exact(BytesView bytes, const ProxyHeaderRules& rules) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return read_proxy_header(BytesView(exact.data(), exact.size()), rules);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  ProxyHeaderRules rules;
  rules.maximum = (data[0] & 1U) != 0 ? 64 : 65551;
  const std::size_t step = 1 + data[1] % 64U;
  const BytesView bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const ProxyHeaderRead whole = read_exact(bytes, rules);
  for (std::size_t part = 0; part < bytes.size(); part += step) {
    const ProxyHeaderRead read = read_exact(bytes.substr(0, part), rules);
    if (read.kind == Kind::need_more) {
      check(read.size > part, "it wants what it has");
      check(whole.kind != Kind::header || read.size <= whole.size, "it wants too much");
      continue;
    }
    check(read.kind == whole.kind && read.fault == whole.fault, "another answer");
    check(read.size == whole.size && read.header == whole.header, "another header");
  }
  if (whole.kind == Kind::invalid) check(!whole.fault.empty(), "no fault");
  if (whole.kind != Kind::header) return 0;
  check(whole.size >= 1 && whole.size <= bytes.size(), "size");
  // Fields that were twice there, and padding, are gone: it can only have become shorter.
  const auto written = write_proxy_header(whole.header);
  check(written.has_value(), "it cannot be written");
  const ProxyHeaderRead again = read_exact(*written, {.maximum = 65551});
  check(again.kind == Kind::header && again.size == written->size(), "it cannot be read again");
  check(again.header == whole.header, "it was read otherwise");
  return 0;
}
