// A handler that counts, in the versions and with the faults that the tests of code change want:
// VERSION and FAULT come from CMake. Loaded by tests only.
#include <hawser/net/module/export.hpp>

#include <charconv>
#include <stdexcept>
#include <string>

#ifndef FAULT
#define FAULT 0
#endif

using namespace hawser;

namespace {

struct Nudge {};
struct Poke {
  int by = 1;
};

struct Ask {
  int value = 0;
};
struct Helper {
  int handle_call(Ask ask) { return ask.value; }
};

struct Tally {
  unsigned long count = 0;
  unsigned imported_from = 0;

  Next handle_packet(Bytes packet) {
    ++count;
    if (packet == "timeout") return keep().timeout(10s);
    if (packet == "nudge") {
      self().send_after(5s, Nudge{});
      return answer("armed");
    }
    if (packet == "poke") {
      self().ref<Tally>().cast(Poke{10});
      return keep();
    }
    if (packet == "task") {
      self().start(wait());
      return answer("waits");
    }
    if (packet == "helper") {
      const auto helper = self().spawn<Helper>({});
      return answer(helper ? "helper" : "none");
    }
    if (packet == "crash") throw std::runtime_error("boom");
    return answer(packet);
  }
  Next timeout() { return answer("timeout"); }
  Next handle_info(Info& info) {
    if (info.get<Nudge>() != nullptr) return answer("nudged");
    return keep();
  }
  Next handle_cast(Poke poke) {
    count += static_cast<unsigned long>(poke.by);
    return answer("poked");
  }
  void terminate(const Reason&) {}
  std::string describe() const { return "count " + std::to_string(count); }

#if FAULT != 1
  Bytes export_state() const {
#if FAULT == 2
    throw std::runtime_error("cannot say");
#endif
    return std::to_string(count);
  }
#endif
#if FAULT != 3
  static Result<Tally> code_change(unsigned old_version, BytesView state) {
    Tally tally;
    tally.imported_from = old_version;
    const auto [end, wrong] =
        std::from_chars(state.data(), state.data() + state.size(), tally.count);
    if (wrong != std::errc{} || end != state.data() + state.size())
      return std::unexpected(Error{ErrorKind::invalid_argument, 0, "code_change", "no number"});
#if FAULT == 4
    if (tally.count % 2 == 1) throw std::runtime_error("odd");
#endif
    return tally;
  }
#endif
#if FAULT == 5
  static constexpr bool keep_loaded = true;
#endif
  static Framing framing() { return length_prefixed(2); }

 private:
  Next answer(std::string_view to) const {
    return send("v" + std::to_string(VERSION) + " " + std::to_string(count) + " " +
                std::string(to));
  }
  Task<> wait() {
    co_await hawser::sleep(3s);
    count += 100;
    static_cast<void>(connection().send_packet("v" + std::to_string(VERSION) + " " +
                                               std::to_string(count) + " waited"));
  }
};

}  // namespace

HAWSER_EXPORT_HANDLER(Tally, VERSION)
