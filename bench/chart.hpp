// Panels of horizontal bars as an SVG picture, without a dependency: what reports are drawn with.
// Internal to bench; plain functions.
#pragma once

#include <string>
#include <vector>

namespace hawser::bench {

struct ChartBar {
  std::string name{};
  std::string error{};  ///< stands in place of the bar
  double value = 0;
  double low = 0;  ///< with `high`: a line over the bar; equal: none
  double high = 0;
  std::string label{};  ///< behind the bar
  bool floor = false;   ///< grey: what the others are compared with
  bool accent = false;  ///< ours
};

/// Bars on one scale.
struct ChartPanel {
  std::string heading{};
  std::vector<ChartBar> bars{};
};

struct Chart {
  std::string title{};    ///< the document's
  std::string heading{};  ///< the picture's
  std::string under{};    ///< the heading
  std::string foot{};
  std::vector<ChartPanel> panels{};
};

std::string to_svg(const Chart& chart);

}  // namespace hawser::bench
