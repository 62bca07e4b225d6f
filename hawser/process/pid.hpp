// Who a process is: its scheduler, its place in that scheduler's table and the generation of that
// place. Public; plain value, valid to hold and to send to for ever while its System lives: a
// process that has ended is an ordinary miss.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace hawser {

class Scheduler;

struct Pid {
  Scheduler* scheduler = nullptr;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;

  explicit operator bool() const noexcept { return scheduler != nullptr; }

  /// "<scheduler.index.generation>", as in logs and the observer; "<none>" for no process.
  std::string text() const;

  friend bool operator==(const Pid&, const Pid&) noexcept = default;
  /// By scheduler number, index, generation: the same in every run, unlike an order of addresses.
  friend std::strong_ordering operator<=>(const Pid& left, const Pid& right) noexcept;
};

}  // namespace hawser
