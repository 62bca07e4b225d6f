// One Selector a subscription.
#include <hawser/stomp/selector_filter.hpp>

#include <hawser/bus/selector.hpp>

#include <memory>
#include <utility>

namespace hawser::stomp {
namespace {

class SelectorFilter final : public bus::MessageFilter {
 public:
  explicit SelectorFilter(bus::Selector selector) noexcept : selector_(std::move(selector)) {}
  bool accepts(const bus::Message& message) const override { return selector_.accepts(message); }
  std::string_view text() const override { return selector_.text(); }

 private:
  bus::Selector selector_;
};

}  // namespace

Result<bus::FilterPtr> make_selector_filter(std::string_view text) {
  auto selector = bus::Selector::compile(text);
  if (!selector) return std::unexpected(std::move(selector.error()));
  return std::make_shared<const SelectorFilter>(std::move(*selector));
}

}  // namespace hawser::stomp
