// Which messages a subscription wants, said in the SQL-92 subset that JMS made common: "color =
// 'red' AND weight > 2500". Public; a compiled selector is immutable and may be asked on any
// thread, never allocates and never throws.
//
//   conditions   = <> < <= > >=   [NOT] BETWEEN a AND b   [NOT] IN (…)   [NOT] LIKE '…' [ESCAPE
//   'c']
//                IS [NOT] NULL   NOT, AND, OR, parentheses; a header alone is one when it says
//                true or false
//   values       'text' ('' is a quote in it), 12, -1.5e3, TRUE, FALSE, + - * / of numbers, a
//                header's name: letters, digits, _ $ . or anything in double quotes
//                ("content-type")
//
// Headers are text. Beside a number they are read as a number, beside TRUE or FALSE as one of them,
// beside another header as numbers if both are; else as text, which is compared byte by byte. What
// cannot be read so compares as false, with <> too. A missing header is NULL: comparing with it
// gives "unknown", as do NOT, AND and OR of it where its truth would matter; a message is wanted
// only if the whole is true. Whole numbers have 64 bits and divide to whole numbers; what
// overflows goes on as floating point, and dividing by zero gives NULL. LIKE takes % for any text
// and _ for one character of UTF-8. Words such as AND are read in any case, names are not.
//
// JMSType, JMSCorrelationID, JMSMessageID, JMSPriority, JMSTimestamp, JMSExpiration, JMSReplyTo,
// JMSDestination and JMSRedelivered are the STOMP headers of that meaning; JMSDeliveryMode is
// 'PERSISTENT' or 'NON_PERSISTENT'. The prefixes convert_string_expressions: (what is done anyway)
// and hyphenated_props: (a - inside a name belongs to it) of ActiveMQ are understood.
#pragma once

#include <hawser/base/result.hpp>
#include <hawser/bus/subscription.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace hawser::bus {

namespace detail {
struct SelectorTree;
}

struct SelectorLimits {
  std::uint32_t length = 4096;  ///< bytes of the text
  std::uint32_t depth = 32;  ///< parentheses, NOT and arithmetic inside one another, at most 1000
};

/// How a selector looks at a message that is not (yet) one of the bus.
class HeaderLookup {
 public:
  /// The value of the header, the first when repeated; nothing when there is none. Must not throw.
  virtual std::optional<std::string_view> find(std::string_view name) const noexcept = 0;

 protected:
  ~HeaderLookup() = default;
};

class Selector final : public MessageFilter {
 public:
  /// Errors: invalid_argument, "position 9: expected a value, found AND" (from 1, in bytes), and
  /// overloaded beyond a limit.
  static Result<std::shared_ptr<const Selector>> compile(std::string_view text,
                                                         const SelectorLimits& limits = {});

  /// Takes what compile() has made of a text.
  explicit Selector(std::unique_ptr<const detail::SelectorTree> tree) noexcept;
  ~Selector() override;

  bool accepts(const HeaderLookup& headers) const noexcept;
  /// Asks the message's properties, its destination and content-type, and what it says of priority,
  /// persistent and expires where no property does. Allocates only for a value with escapes in it.
  bool accepts(const Message& message) const override;

  /// As it was given to compile().
  std::string_view text() const noexcept override;

 private:
  std::unique_ptr<const detail::SelectorTree> tree_;
};

/// For BusOptions::make_filter.
Result<FilterPtr> make_selector(std::string_view text);

}  // namespace hawser::bus
