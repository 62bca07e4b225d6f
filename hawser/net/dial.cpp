// Look-up, attempts and their time.
#include <hawser/net/detail/dialing.hpp>

#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {

std::string DialOptions::text() const {
  if (address) return address->text();
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

namespace detail {

Dialing::Dialing(Scheduler& scheduler, Owner& owner, DialOptions options)
    : scheduler_(scheduler), owner_(owner), options_(std::move(options)) {}

Dialing::~Dialing() { drop_socket(); }

void Dialing::start() {
  deadline_ = scheduler_.now() + options_.timeout;
  if (options_.address) {
    addresses_.push_back(*options_.address);
    // From the timer, so that a failure at once does not reach the owner inside its own start.
    scheduler_.timers().arm(*this, scheduler_.now());
    return;
  }
  resolving_ = true;
  scheduler_.timers().arm(*this, deadline_);
  scheduler_.engine().resolve(options_.host, options_.port,
                              [weak = weak_from_this()](Result<std::vector<Address>> addresses) {
                                if (const auto dialing = weak.lock())
                                  dialing->resolved(std::move(addresses));
                              });
}

void Dialing::resolved(Result<std::vector<Address>> addresses) {
  if (!resolving_) return;  // too late: the owner has been told
  resolving_ = false;
  cancel();
  if (!addresses) {
    owner_.dial_failed(
        Reason::failed(fmt::format("connect {}: {}", options_.text(), addresses.error().detail)));
    return;
  }
  addresses_ = std::move(*addresses);
  try_next();
}

void Dialing::try_next() {
  while (tried_ < addresses_.size() && scheduler_.now() < deadline_) {
    const Address& address = addresses_[tried_];
    const auto left = static_cast<Duration::rep>(addresses_.size() - tried_);
    ++tried_;
    auto socket = scheduler_.engine().connect(address, options_.socket, *this, options_.from);
    if (socket) {
      socket_ = *socket;
      timed_out_ = false;
      const Duration part =
          deadline_ == Instant::never() ? Duration::max() : (deadline_ - scheduler_.now()) / left;
      scheduler_.timers().arm(*this, scheduler_.now() + part);
      return;
    }
    last_error_ = socket.error().detail;
  }
  const std::shared_ptr<Dialing> alive = shared_from_this();
  const std::string of = tried_ > 1 ? fmt::format(" (the last of {} addresses)", tried_) : "";
  if (timed_out_) {
    owner_.dial_failed(
        Reason::timeout(fmt::format("connect {}: no answer within {} s{}", options_.text(),
                                    std::chrono::duration<double>(options_.timeout).count(), of)));
  } else {
    owner_.dial_failed(Reason::failed(fmt::format(
        "connect {}: {}{}", options_.text(),
        last_error_.empty() ? std::string("the host has no address") : last_error_, of)));
  }
}

void Dialing::drop_socket() noexcept {
  if (socket_) scheduler_.engine().close_now(std::exchange(socket_, {}));
}

void Dialing::on_connected() {
  cancel();
  auto released = scheduler_.engine().release(std::exchange(socket_, {}));
  if (!released) {
    last_error_ = released.error().detail;
    try_next();
    return;
  }
  const std::shared_ptr<Dialing> alive = shared_from_this();
  owner_.dialed(std::move(*released));
}

void Dialing::on_failed(const Error& error) {
  cancel();
  last_error_ = error.detail;
  drop_socket();
  try_next();
}

void Dialing::fire() {
  if (resolving_) {
    resolving_ = false;
    const std::shared_ptr<Dialing> alive = shared_from_this();
    owner_.dial_failed(Reason::timeout(
        fmt::format("connect {}: the host's name was not found within {} s", options_.text(),
                    std::chrono::duration<double>(options_.timeout).count())));
    return;
  }
  if (socket_) {
    timed_out_ = true;
    last_error_.clear();
    drop_socket();
  }
  try_next();
}

}  // namespace detail
}  // namespace hawser
