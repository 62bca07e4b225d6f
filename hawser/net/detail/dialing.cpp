// Look-up, attempts and their time.
#include <hawser/net/detail/dialing.hpp>

#include <hawser/net/detail/address_order.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

namespace hawser::detail {

namespace {

/// The address that `host` spells out. Such a host needs no look-up, and must not wait behind those
/// of others in the blocking pool. ("*" and "" are no hosts to go to, whatever parse() says.)
std::optional<Address> spelled_out(const std::string& host, std::uint16_t port) {
  if (host.empty() || host == "*" || host.starts_with("unix:")) return std::nullopt;
  const bool bracketed = host.find(':') != std::string::npos;
  auto address = Address::parse(bracketed ? fmt::format("[{}]:{}", host, port)
                                          : fmt::format("{}:{}", host, port));
  if (!address) return std::nullopt;
  return *std::move(address);
}

std::string_view cut_to(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0U) == 0x80U) --most;
  return text.substr(0, most);  // never inside a character: it ends up in logs
}

}  // namespace

Dialing::Dialing(Scheduler& scheduler, Owner& owner, DialOptions options)
    : scheduler_(scheduler), owner_(owner), options_(std::move(options)) {}

Dialing::~Dialing() { close_all(); }

void Dialing::start() {
  deadline_ = scheduler_.now() + options_.timeout;
  const bool usable = options_.faults().empty();
  if (usable && !options_.address) options_.address = spelled_out(options_.host, options_.port);
  if (!usable || options_.address) {
    // From the timer, so that a failure at once does not reach the owner inside its own start.
    stage_ = Stage::starting;
    scheduler_.timers().arm(*this, scheduler_.now());
    return;
  }
  stage_ = Stage::resolving;
  scheduler_.timers().arm(*this, deadline_);
  scheduler_.engine().resolve(options_.host, options_.port,
                              [weak = weak_from_this()](Result<std::vector<Address>> addresses) {
                                if (const auto dialing = weak.lock())
                                  dialing->resolved(std::move(addresses));
                              });
}

void Dialing::resolved(Result<std::vector<Address>> addresses) {
  if (stage_ != Stage::resolving) return;  // too late: the owner has been told
  if (addresses) {
    choose(std::move(*addresses));
    return;
  }
  std::string text =
      fmt::format("connect {}: {}", options_.text(), cut_to(addresses.error().detail, text_limit));
  finish(addresses.error().kind == ErrorKind::timeout ? Reason::timeout(std::move(text))
                                                      : Reason::failed(std::move(text)));
}

void Dialing::choose(std::vector<Address> found) {
  stage_ = Stage::connecting;
  if (found.empty()) {
    finish(Reason::failed(fmt::format("connect {}: the host has no address", options_.text())));
    return;
  }
  if (options_.from && !found.front().is_unix()) {
    std::erase_if(found,
                  [&](const Address& each) { return each.family() != options_.from->family(); });
    if (found.empty()) {
      finish(Reason::failed(fmt::format("connect {}: the host has no address of the family of {}",
                                        options_.text(), options_.from->text())));
      return;
    }
  }
  addresses_ = interleaved(found, options_.first_family);
  if (addresses_.size() > options_.max_addresses) {
    left_out_ = addresses_.size() - options_.max_addresses;
    addresses_.resize(options_.max_addresses);
  }
  begin_next();
}

void Dialing::begin_next() {
  while (attempts_.size() < addresses_.size()) {
    Attempt& attempt = attempts_.emplace_back(*this, addresses_[attempts_.size()]);
    auto socket =
        scheduler_.engine().connect(attempt.address, options_.socket, attempt, options_.from);
    if (socket) {
      attempt.socket = *socket;
      ++under_way_;
      // Two sockets cannot be bound to one port: then attempts go one after the other.
      const bool alone = options_.from && options_.from->port() != 0;
      next_attempt_ = alone ? Instant::never() : scheduler_.now() + options_.attempt_delay;
      break;
    }
    note(attempt, socket.error());
  }
  if (under_way_ == 0) {
    finish_attempts();
  } else {
    arm_timer();
  }
}

void Dialing::arm_timer() {
  const bool more = attempts_.size() < addresses_.size();
  scheduler_.timers().arm(*this, more ? std::min(deadline_, next_attempt_) : deadline_);
}

void Dialing::fire() {
  switch (stage_) {
    case Stage::starting:
      if (const auto faults = options_.faults(); !faults.empty()) {
        finish(Reason::failed(
            fmt::format("connect {}: {}", cut_to(options_.text(), 256), fmt::join(faults, "; "))));
      } else {
        choose({*options_.address});
      }
      break;
    case Stage::resolving:
      finish(Reason::timeout(fmt::format("connect {}: the host's name was not found {}",
                                         options_.text(), whole_timeout_text())));
      break;
    case Stage::connecting:
      if (scheduler_.now() >= deadline_) {
        finish_attempts();
      } else {
        begin_next();
      }
      break;
    case Stage::idle:
    case Stage::over:
      break;
  }
}

void Dialing::won(Attempt& attempt) {
  auto released = scheduler_.engine().release(attempt.socket);
  if (!released) {
    lost(attempt, released.error());
    return;
  }
  attempt.socket = {};
  stage_ = Stage::over;
  cancel();
  close_all();
  const std::shared_ptr<Dialing> alive = shared_from_this();
  owner_.dialed(std::move(*released));
}

void Dialing::lost(Attempt& attempt, const Error& error) {
  --under_way_;
  scheduler_.engine().close_now(std::exchange(attempt.socket, {}));
  note(attempt, error);
  // Only the youngest holds up the next one; an older attempt that fails changes nothing for it.
  if (&attempt == &attempts_.back() || under_way_ == 0) begin_next();
}

void Dialing::note(Attempt& attempt, const Error& error) {
  attempt.silent = error.kind == ErrorKind::timeout;
  const std::string place = attempt.address.text();
  constexpr std::size_t each_limit = 256;  // a Unix path may be in it
  attempt.error = error.detail.find(place) != std::string::npos
                      ? std::string(cut_to(error.detail, each_limit))
                      : fmt::format("{}: {}", place, cut_to(error.detail, each_limit));
}

void Dialing::close_all() noexcept {
  for (Attempt& attempt : attempts_)
    if (attempt.socket) scheduler_.engine().close_now(std::exchange(attempt.socket, {}));
  under_way_ = 0;
}

std::string Dialing::whole_timeout_text() const {
  return fmt::format("within {} s", to_seconds(options_.timeout));
}

std::string Dialing::attempts_text() const {
  constexpr std::size_t other_words = 512;  // room for the place and what is counted, not named
  std::string text;
  std::size_t named = 0;
  for (const Attempt& attempt : attempts_) {
    const std::string line =
        attempt.socket ? attempt.address.text() + ": no answer" : attempt.error;
    if (text.size() + 2 + line.size() + other_words > text_limit) break;
    text += named++ == 0 ? "" : "; ";
    text += line;
  }
  if (named < attempts_.size())
    text += fmt::format("; {} more likewise without success", attempts_.size() - named);
  if (attempts_.size() < addresses_.size())
    text += fmt::format("; {} more not tried in time", addresses_.size() - attempts_.size());
  if (left_out_ > 0)
    text +=
        fmt::format("; {} more left out, max_addresses is {}", left_out_, options_.max_addresses);
  return text;
}

void Dialing::finish_attempts() {
  const std::string where = options_.text();
  const std::size_t known = addresses_.size() + left_out_;
  if (under_way_ > 0) {
    const bool says_more = known > 1 || attempts_.front().address.text() != where;
    finish(Reason::timeout(fmt::format("connect {}: no answer {}{}{}", where, whole_timeout_text(),
                                       says_more ? ": " : "", says_more ? attempts_text() : "")));
    return;
  }
  const std::string count =
      known > 1 ? fmt::format("none of {} addresses connected: ", known) : std::string();
  std::string text = fmt::format("connect {}: {}{}", where, count, attempts_text());
  const bool any_silent = std::ranges::any_of(attempts_, &Attempt::silent);
  finish(any_silent ? Reason::timeout(std::move(text)) : Reason::failed(std::move(text)));
}

void Dialing::finish(Reason reason) {
  stage_ = Stage::over;
  cancel();
  close_all();
  const std::shared_ptr<Dialing> alive = shared_from_this();
  owner_.dial_failed(std::move(reason));
}

}  // namespace hawser::detail
