// Four views, one key loop. Each round asks for what the view shows, draws it, and waits for a key
// until the next one is due; a program that has gone is said so, and looked for again.
#include "observe_screen.hpp"

#include "commands.hpp"
#include "observe_text.hpp"

#include <curses.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <deque>
#include <exception>
#include <set>
#include <utility>

namespace hawser::app {
namespace {

/// The terminal in its other mode, for as long as this object lives.
class Terminal {
 public:
  Terminal() : screen_(newterm(nullptr, stdout, stdin)) {
    if (screen_ == nullptr) return;
    set_term(screen_);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    // A crash must not leave the user without echo; exit() comes by here too.
    before_ = std::set_terminate([] {
      endwin();
      std::abort();
    });
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (screen_ == nullptr) return;
    endwin();
    delscreen(screen_);
    std::set_terminate(before_);
  }
  bool usable() const noexcept { return screen_ != nullptr; }
  static std::size_t width() { return static_cast<std::size_t>(std::max(1, COLS)); }
  static std::size_t height() { return static_cast<std::size_t>(std::max(1, LINES)); }

 private:
  SCREEN* screen_;
  std::terminate_handler before_ = nullptr;
};

enum class View : std::uint8_t { overview, tree, connections, events };
constexpr std::array<const char*, 4> view_names{"overview", "tree", "connections", "events"};
constexpr std::array<const char*, 4> sorts{"packets", "bytes", "unsent", "age"};
constexpr std::array<const char*, 5> levels{"off", "info", "debug", "warning", "error"};
constexpr int redraw = 12;  // ^L: something has written over it
constexpr std::size_t kept_events = 2000;
constexpr std::size_t listed_max = 500;
constexpr Duration answer_limit = 3s;

class Screen {
 public:
  Screen(ObserveLink& link, std::string address, const ScreenOptions& options)
      : link_(link), address_(std::move(address)), options_(options) {}

  int run() {
    for (;;) {
      if (!paused_) look();
      draw();
      if (!wait_for_key()) return success;
    }
  }

 private:
  // ---- asking
  void look() {
    if (!link_.connected()) {
      // What matters comes first: a narrow terminal cuts the rest.
      note_ = fmt::format("no answer, trying again: {}", link_.trouble());
      return;
    }
    if (std::exchange(connection_, link_.connection()) != link_.connection()) renew();
    if (const auto program = link_.ask({{"ask", "program"}}, answer_limit)) program_ = *program;
    ask_for_view();
    if (view_ == View::events || !traced_.empty() || level_ != 0) take_events();
  }

  /// Another connection, perhaps to another program: what was asked for is forgotten over there.
  void renew() {
    traced_.clear();
    figures_ = before_ = nullptr;
    note_.clear();
    if (level_ != 0) set_level();
  }

  void ask_for_view() {
    Result<Json> answer;
    switch (view_) {
      case View::overview:
        answer = link_.ask({{"ask", "figures"}}, answer_limit);
        if (answer) before_ = std::exchange(figures_, std::move(*answer));
        break;
      case View::tree:
        answer = link_.ask({{"ask", "tree"}}, answer_limit);
        if (answer) tree_ = std::move(*answer);
        break;
      case View::connections: {
        const std::size_t count =
            std::clamp(top_ + Terminal::height(), std::size_t{20}, listed_max);
        answer = link_.ask({{"ask", "connections"}, {"by", sorts[sort_]}, {"count", count}},
                           answer_limit);
        if (answer) connections_ = std::move(*answer);
        break;
      }
      case View::events:
        return;
    }
    note_ = answer ? std::string{} : answer.error().text();
  }

  void take_events() {
    for (Json& each : link_.take_events()) {
      if (events_.size() == kept_events) events_.pop_front();
      events_.push_back(std::move(each));
    }
  }

  void set_level() {
    const auto answer = link_.ask({{"ask", "events"}, {"level", levels[level_]}}, answer_limit);
    said_ = answer ? fmt::format("events: {}", levels[level_]) : answer.error().text();
  }

  void toggle_trace() {
    if (view_ != View::connections || !connections_.is_object()) return;
    const Json& rows = connections_["connections"];
    if (selected_ >= rows.size()) return;
    const std::string pid = rows[selected_]["pid"];
    const bool on = !traced_.contains(pid);
    const auto answer =
        link_.ask({{"ask", "trace"}, {"pid", pid}, {"on", on}, {"bytes", options_.bytes_shown}},
                  answer_limit);
    if (!answer) {
      said_ = answer.error().text();
      return;
    }
    on ? static_cast<void>(traced_.insert(pid)) : static_cast<void>(traced_.erase(pid));
    said_ =
        fmt::format("{} is {} traced{}", pid, on ? "being" : "not", on ? ": see events (4)" : "");
  }

  // ---- drawing
  void draw() {
    erase();
    const std::size_t width = Terminal::width();
    const std::size_t height = Terminal::height();
    put(0, head(width), A_REVERSE, width);
    const std::size_t room = height > 2 ? height - 2 : 0;
    Lines lines = body(width);
    const bool table = view_ == View::connections && !lines.empty();
    std::size_t row = 1;
    std::size_t first = 0;
    if (table && room > 0) {
      put(row++, lines.front(), A_BOLD, width);
      first = 1;
    }
    const std::size_t shown = room - (row - 1);
    const std::size_t all = lines.size() - first;
    follow(all, shown);
    for (std::size_t i = 0; i < shown && top_ + i < all; ++i) {
      const std::size_t at = top_ + i;
      const attr_t look = table && at == selected_ ? A_REVERSE : A_NORMAL;
      put(row + i, marked(lines[first + at], table, at), look, width);
    }
    if (height > 1)
      put(height - 1, foot(width), note_.empty() && said_.empty() ? A_DIM : A_BOLD, width);
    refresh();
  }

  /// A traced connection's line ends in a star.
  std::string marked(std::string line, bool table, std::size_t at) const {
    if (!table || traced_.empty()) return line;
    const Json& rows = connections_["connections"];
    if (at < rows.size() && traced_.contains(rows[at]["pid"].get<std::string>())) line += " *";
    return line;
  }

  void follow(std::size_t all, std::size_t shown) {
    selected_ = all == 0 ? 0 : std::min(selected_, all - 1);
    if (view_ == View::connections) {
      if (selected_ < top_) top_ = selected_;
      if (shown > 0 && selected_ >= top_ + shown) top_ = selected_ - shown + 1;
    } else if (view_ == View::events && at_end_) {
      top_ = all > shown ? all - shown : 0;
    }
    top_ = std::min(top_, all > shown ? all - shown : std::size_t{0});
    if (view_ == View::events) at_end_ = top_ + shown >= all;
  }

  Lines body(std::size_t width) const {
    if (!link_.connected() && figures_.is_null()) return {"waiting for " + address_};
    switch (view_) {
      case View::overview:
        return figures_.is_object() ? overview_lines(figures_, before_, width) : Lines{};
      case View::tree:
        return tree_lines(tree_, width);
      case View::connections:
        return connections_.is_object() ? connection_lines(connections_, width) : Lines{};
      case View::events:
        break;
    }
    Lines lines;
    for (const Json& each : events_) lines.push_back(event_line(each, width));
    if (lines.empty())
      lines = {
          fitted("nothing yet: e asks for events, t in the connections (3) traces one", width)};
    return lines;
  }

  std::string head(std::size_t width) const {
    std::string what = view_names[static_cast<std::size_t>(view_)];
    if (view_ == View::connections) {
      const std::size_t all = connections_.is_object() ? connections_.value("count", 0U) : 0U;
      what += fmt::format(" ({}) by {}", all, sorts[sort_]);
    }
    if (view_ == View::events) what += fmt::format(" ({})", levels[level_]);
    if (paused_) what += " PAUSED";
    if (program_.is_object()) what += "  " + program_line(program_, width);
    return fitted(what, width);
  }

  std::string foot(std::size_t width) const {
    if (!note_.empty()) return fitted(note_, width);
    if (!said_.empty()) return fitted(said_, width);
    std::string keys = "q quit  1-4 views";
    if (view_ == View::connections) keys += "  s sort  t trace";
    if (view_ == View::events) keys += "  e level  c clear";
    return fitted(keys + "  p pause  arrows move", width);
  }

  static void put(std::size_t row, const std::string& line, attr_t look, std::size_t width) {
    attrset(look);
    const std::string padded = look == A_REVERSE ? fmt::format("{:<{}}", line, width) : line;
    mvaddnstr(static_cast<int>(row), 0, padded.c_str(), static_cast<int>(width));
    attrset(A_NORMAL);
  }

  // ---- keys
  /// Until the next look is due, or a key that asks for one; false to quit.
  bool wait_for_key() {
    timeout(static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.interval).count()));
    const int key = getch();
    if (key != ERR && key != redraw) said_.clear();
    switch (key) {
      case 'q':
      case 3:  // ^C, where the terminal hands it on
        return false;
      case '1':
      case '2':
      case '3':
      case '4':
        show(static_cast<View>(key - '1'));
        break;
      case '\t':
        show(static_cast<View>((static_cast<int>(view_) + 1) % 4));
        break;
      case 's':
        sort_ = (sort_ + 1) % sorts.size();
        break;
      case 't':
        toggle_trace();
        break;
      case 'e':
        level_ = (level_ + 1) % levels.size();
        set_level();
        break;
      case 'c':
        events_.clear();
        break;
      case redraw:
        clearok(stdscr, TRUE);
        break;
      case 'p':
        paused_ = !paused_;
        break;
      case KEY_UP:
      case 'k':
        move_by(-1);
        break;
      case KEY_DOWN:
      case 'j':
        move_by(1);
        break;
      case KEY_PPAGE:
        move_by(-static_cast<int>(Terminal::height()) + 3);
        break;
      case KEY_NPAGE:
        move_by(static_cast<int>(Terminal::height()) - 3);
        break;
      case ERR:
        // Without a terminal there is nobody to quit.
        return isatty(STDIN_FILENO) == 1;
      default:  // KEY_RESIZE too: the next round draws for the new size
        break;
    }
    return true;
  }

  void show(View view) {
    view_ = view;
    top_ = selected_ = 0;
    at_end_ = true;
  }

  void move_by(int rows) {
    const auto moved = [rows](std::size_t from) {
      const auto to = static_cast<std::ptrdiff_t>(from) + rows;
      return to < 0 ? std::size_t{0} : static_cast<std::size_t>(to);
    };
    if (view_ == View::connections) {
      selected_ = moved(selected_);
    } else {
      top_ = moved(top_);
      at_end_ = false;
    }
  }

  ObserveLink& link_;
  std::string address_;
  ScreenOptions options_;
  std::uint64_t connection_ = 0;
  View view_ = View::overview;
  std::size_t sort_ = 0;
  std::size_t level_ = 0;
  std::size_t top_ = 0;
  std::size_t selected_ = 0;
  bool at_end_ = true;
  bool paused_ = false;
  std::string note_;  // what is wrong
  std::string said_;  // what the last key did
  Json program_;
  Json figures_;
  Json before_;
  Json tree_;
  Json connections_;
  std::deque<Json> events_;
  std::set<std::string> traced_;
};

}  // namespace

int run_screen(ObserveLink& link, const std::string& address, const ScreenOptions& options) {
  const Terminal terminal;
  if (!terminal.usable()) {
    fmt::print(stderr, "hawser observe: the terminal ($TERM) is of no known kind; use --once\n");
    return failure;
  }
  return Screen(link, address, options).run();
}

}  // namespace hawser::app
