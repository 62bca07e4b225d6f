// Medians and digits.
#include <bench/load/figures.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace hawser::bench {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double microseconds(Duration length) {
  return std::chrono::duration<double, std::micro>(length).count();
}

double rounded(double value) { return std::isfinite(value) ? std::round(value * 1e4) / 1e4 : 0.0; }

std::string grouped(double value) {
  const std::string digits = fmt::format("{:.0f}", std::abs(value));
  std::string text(value < 0 ? "-" : "");
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string figure(double value) {
  if (std::abs(value) < 1) return fmt::format("{:.3f}", value);
  if (std::abs(value) < 100) return fmt::format("{:.2f}", value);
  return grouped(value);
}

}  // namespace hawser::bench
