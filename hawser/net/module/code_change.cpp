// Counting what came of a change of code, and its delivery.
#include <hawser/net/module/code_change.hpp>

#include <hawser/net/module/module_handler.hpp>
#include <hawser/process/send.hpp>

#include <fmt/format.h>

#include <utility>

namespace hawser {

CodeChangeTally::~CodeChangeTally() {
  CodeChanged changed{version_, moved_, kept_, gone_, {}};
  for (const auto& [why, times] : why_)
    changed.why += fmt::format("{}{} ({})", changed.why.empty() ? "" : "; ", why, times);
  send_info(watch_, std::move(changed));
}

void CodeChangeTally::count_moved() {
  const std::lock_guard lock(mutex_);
  ++moved_;
}

void CodeChangeTally::count_gone() {
  const std::lock_guard lock(mutex_);
  ++gone_;
}

void CodeChangeTally::count_kept(const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++kept_;
  const bool told = why_.contains(why) || why_.size() < reasons_told;
  ++why_[told ? why : "other reasons"];
}

CodeChange& CodeChange::operator=(CodeChange&& other) noexcept {
  if (tally_ != nullptr) tally_->count_gone();
  to_ = std::move(other.to_);
  tally_ = std::move(other.tally_);
  return *this;
}

CodeChange::~CodeChange() {
  if (tally_ != nullptr) tally_->count_gone();
}

void CodeChange::moved() {
  if (const auto tally = std::exchange(tally_, nullptr)) tally->count_moved();
}

void CodeChange::kept(const std::string& why) {
  if (const auto tally = std::exchange(tally_, nullptr)) tally->count_kept(why);
}

void CodeChangeMessage::deliver(Process& receiver) {
  auto* handler = static_cast<ModuleHandler*>(receiver.handler(type_info<ModuleHandler>));
  if (handler == nullptr) return;
  receiver.enter_callback("code_change");
  handler->change_code(std::move(change_));
}

}  // namespace hawser
