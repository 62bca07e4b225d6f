// How figures are gathered from rounds and written down, the same in every report.
#pragma once

#include <hawser/base/time.hpp>

#include <string>
#include <vector>

namespace hawser::bench {

/// The middle one, or the mean of the two in the middle; 0 of none.
double median_of(std::vector<double> values);

double microseconds(Duration length);

/// Enough digits for the noise there is; a double's seventeen only hide it. 0 for what is no
/// number.
double rounded(double value);

/// "12,345,678".
std::string grouped(double value);

/// "0.312", "6.53", "15,000": as many digits as mean something.
std::string figure(double value);

}  // namespace hawser::bench
