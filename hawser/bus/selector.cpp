// Evaluates a compiled selector: values are small and on the stack, texts are views.
#include <hawser/bus/selector.hpp>

#include <hawser/bus/detail/selector_parser.hpp>
#include <hawser/bus/detail/selector_tree.hpp>
#include <hawser/bus/message.hpp>

#include <bit>
#include <charconv>
#include <compare>
#include <cstddef>
#include <forward_list>
#include <string>
#include <system_error>
#include <utility>

namespace hawser::bus {
namespace {

using detail::SelectorNode;
using detail::SelectorOp;
using detail::SelectorTree;

constexpr std::size_t longest_number = 64;  // bytes of a header that is read as one

struct Value {
  enum class Kind : std::uint8_t { null, boolean, integer, real, text, header };
  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text{};

  static Value of(bool value) noexcept { return {.kind = Kind::boolean, .boolean = value}; }
  static Value of(std::int64_t value) noexcept { return {.kind = Kind::integer, .integer = value}; }
  static Value of(double value) noexcept { return {.kind = Kind::real, .real = value}; }
  bool null() const noexcept { return kind == Kind::null; }
  bool number() const noexcept { return kind == Kind::integer || kind == Kind::real; }
  double as_real() const noexcept {
    return kind == Kind::integer ? static_cast<double>(integer) : real;
  }
};
using Kind = Value::Kind;

/// Null when the text is no number: digits with sign, fraction and exponent, nothing around them.
Value read_number(std::string_view text) noexcept {
  const bool sign = text.starts_with('+') || text.starts_with('-');
  const std::string_view digits = text.substr(sign ? 1 : 0);
  // from_chars knows no plus, and would read "inf" and "nan" too.
  if (digits.empty() || text.size() > longest_number) return {};
  if (digits[0] != '.' && (digits[0] < '0' || digits[0] > '9')) return {};
  if (text[0] == '+') text.remove_prefix(1);
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  const auto integer = std::from_chars(text.data(), end, whole);
  if (integer.ec == std::errc{} && integer.ptr == end) return Value::of(whole);
  double value = 0;
  const auto real = std::from_chars(text.data(), end, value);
  if (real.ec == std::errc{} && real.ptr == end) return Value::of(value);
  return {};
}

/// Null when the text is neither.
Value read_boolean(std::string_view text) noexcept {
  if (text == "true" || text == "TRUE" || text == "True") return Value::of(true);
  if (text == "false" || text == "FALSE" || text == "False") return Value::of(false);
  return {};
}

Value as_number(const Value& value) noexcept {
  if (value.kind == Kind::header) return read_number(value.text);
  return value.number() ? value : Value{};
}

Value as_condition(const Value& value) noexcept {
  if (value.kind == Kind::header) return read_boolean(value.text);
  return value.kind == Kind::boolean ? value : Value{};
}

/// A header takes the other side's kind if it can.
void adapt(Value& header, const Value& other) noexcept {
  if (header.kind != Kind::header) return;
  Value read;
  if (other.number()) read = read_number(header.text);
  if (other.kind == Kind::boolean) read = read_boolean(header.text);
  if (!read.null()) header = read;
}

/// Exact, where turning the whole number into floating point would round it.
std::partial_ordering order_mixed(std::int64_t whole, double real) noexcept {
  constexpr double beyond = 0x1p63;
  if (real >= beyond) return std::partial_ordering::less;
  if (real < -beyond) return std::partial_ordering::greater;
  if (!(real == real)) return std::partial_ordering::unordered;
  const auto cut = static_cast<std::int64_t>(real);
  if (whole != cut) return whole <=> cut;
  return static_cast<double>(cut) <=> real;
}

/// Nothing when they cannot be compared.
std::optional<std::partial_ordering> order(Value left, Value right) noexcept {
  if (left.kind == Kind::header && right.kind == Kind::header) {
    const Value first = read_number(left.text);
    const Value second = first.null() ? Value{} : read_number(right.text);
    if (!second.null()) {
      left = first;
      right = second;
    }
  } else {
    adapt(left, right);
    adapt(right, left);
  }
  if (left.kind == Kind::integer && right.kind == Kind::integer)
    return left.integer <=> right.integer;
  if (left.kind == Kind::integer && right.kind == Kind::real)
    return order_mixed(left.integer, right.real);
  if (left.kind == Kind::real && right.kind == Kind::integer)
    return 0 <=> order_mixed(right.integer, left.real);
  if (left.kind == Kind::real && right.kind == Kind::real) return left.real <=> right.real;
  if (left.kind == Kind::boolean && right.kind == Kind::boolean)
    return static_cast<int>(left.boolean) <=> static_cast<int>(right.boolean);
  const auto textual = [](const Value& value) {
    return value.kind == Kind::text || value.kind == Kind::header;
  };
  if (textual(left) && textual(right)) return left.text <=> right.text;
  return std::nullopt;
}

Value compare(SelectorOp op, const Value& left, const Value& right) noexcept {
  if (left.null() || right.null()) return {};
  const auto ordered = order(left, right);
  if (!ordered) return Value::of(false);
  switch (op) {
    case SelectorOp::equal:
      return Value::of(std::is_eq(*ordered));
    case SelectorOp::not_equal:
      return Value::of(std::is_neq(*ordered));
    case SelectorOp::less:
      return Value::of(std::is_lt(*ordered));
    case SelectorOp::less_equal:
      return Value::of(std::is_lteq(*ordered));
    case SelectorOp::greater:
      return Value::of(std::is_gt(*ordered));
    default:
      return Value::of(std::is_gteq(*ordered));
  }
}

Value negate(const Value& value) noexcept {
  return value.null() ? value : Value::of(!value.boolean);
}

/// Of AND (`stop` false) or OR (`stop` true) of two: the one that decides, else unknown.
Value join(bool stop, const Value& left, const Value& right) noexcept {
  if (!left.null() && left.boolean == stop) return left;
  if (!right.null() && right.boolean == stop) return right;
  return left.null() ? left : right;
}

Value real_numbers(SelectorOp op, double left, double right) noexcept {
  switch (op) {
    case SelectorOp::add:
      return Value::of(left + right);
    case SelectorOp::subtract:
      return Value::of(left - right);
    case SelectorOp::multiply:
      return Value::of(left * right);
    default:
      return right == 0 ? Value{} : Value::of(left / right);
  }
}

Value whole_numbers(SelectorOp op, std::int64_t left, std::int64_t right) noexcept {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case SelectorOp::add:
      overflow = __builtin_add_overflow(left, right, &result);
      break;
    case SelectorOp::subtract:
      overflow = __builtin_sub_overflow(left, right, &result);
      break;
    case SelectorOp::multiply:
      overflow = __builtin_mul_overflow(left, right, &result);
      break;
    default:
      if (right == 0) return {};
      overflow = right == -1 && __builtin_sub_overflow(std::int64_t{0}, left, &result);
      if (right != -1) result = left / right;
  }
  if (!overflow) return Value::of(result);
  return real_numbers(op, static_cast<double>(left), static_cast<double>(right));
}

Value arithmetic(SelectorOp op, const Value& left_side, const Value& right_side) noexcept {
  const Value left = as_number(left_side);
  const Value right = as_number(right_side);
  if (left.null() || right.null()) return {};
  if (left.kind == Kind::integer && right.kind == Kind::integer)
    return whole_numbers(op, left.integer, right.integer);
  return real_numbers(op, left.as_real(), right.as_real());
}

/// The depth of the recursion is bounded by the depth of the tree (SelectorLimits::depth).
class Evaluator {
 public:
  Evaluator(const SelectorTree& tree, const HeaderLookup& headers) noexcept
      : tree_(tree), headers_(headers) {}

  Value value(std::uint32_t index) const noexcept {
    const SelectorNode& node = tree_.nodes[index];
    switch (node.op) {
      case SelectorOp::boolean:
        return Value::of(node.number != 0);
      case SelectorOp::integer:
        return Value::of(node.number);
      case SelectorOp::real:
        return Value::of(std::bit_cast<double>(node.number));
      case SelectorOp::text:
        return {.kind = Kind::text, .text = tree_.text_of(node)};
      case SelectorOp::header:
        return header(node);
      case SelectorOp::all_of:
        return chain(node, false);
      case SelectorOp::any_of:
        return chain(node, true);
      case SelectorOp::negation:
        return negate(as_condition(value(node.first)));
      case SelectorOp::minus: {
        const Value number = as_number(value(node.first));
        if (number.kind == Kind::real) return Value::of(-number.real);
        return arithmetic(SelectorOp::subtract, Value::of(std::int64_t{0}), number);
      }
      case SelectorOp::add:
      case SelectorOp::subtract:
      case SelectorOp::multiply:
      case SelectorOp::divide:
        return arithmetic(node.op, value(node.first), value(after(node.first)));
      case SelectorOp::between:
        return between(node);
      case SelectorOp::in:
        return in(node);
      case SelectorOp::like:
        return like(node);
      case SelectorOp::is_null:
        return Value::of(value(node.first).null() != node.negated);
      default:
        return compare(node.op, value(node.first), value(after(node.first)));
    }
  }

 private:
  std::uint32_t after(std::uint32_t index) const noexcept { return tree_.nodes[index].next; }

  Value header(const SelectorNode& node) const noexcept {
    const auto found = headers_.find(tree_.text_of(node));
    if (node.number != 0)  // JMSDeliveryMode
      return {.kind = Kind::text, .text = found == "true" ? "PERSISTENT" : "NON_PERSISTENT"};
    if (!found) return {};
    return {.kind = Kind::header, .text = *found};
  }

  Value chain(const SelectorNode& node, bool stop) const noexcept {
    Value sum = Value::of(!stop);
    for (std::uint32_t child = node.first; child != detail::no_node; child = after(child)) {
      sum = join(stop, sum, as_condition(value(child)));
      if (!sum.null() && sum.boolean == stop) return sum;
    }
    return sum;
  }

  Value between(const SelectorNode& node) const noexcept {
    const std::uint32_t low = after(node.first);
    const Value middle = value(node.first);
    const Value above = compare(SelectorOp::greater_equal, middle, value(low));
    const Value inside =
        join(false, above, compare(SelectorOp::less_equal, middle, value(after(low))));
    return node.negated ? negate(inside) : inside;
  }

  Value in(const SelectorNode& node) const noexcept {
    const Value wanted = value(node.first);
    if (wanted.null()) return {};
    bool found = false;
    for (std::uint32_t item = after(node.first); !found && item != detail::no_node;
         item = after(item))
      found = compare(SelectorOp::equal, wanted, value(item)).boolean;
    return Value::of(found != node.negated);
  }

  Value like(const SelectorNode& node) const noexcept {
    const Value text = value(node.first);
    if (text.null()) return {};
    const bool found =
        detail::like_matches(tree_, tree_.likes[static_cast<std::size_t>(node.number)], text.text);
    return Value::of(found != node.negated);
  }

  const SelectorTree& tree_;
  const HeaderLookup& headers_;
};

class MessageHeaders final : public HeaderLookup {
 public:
  explicit MessageHeaders(const Message& message) noexcept : message_(message) {}
  std::optional<std::string_view> find(std::string_view name) const noexcept override {
    if (name == "destination") return message_.destination();
    if (name == "content-type") {
      if (message_.content_type().empty()) return std::nullopt;
      return message_.content_type();
    }
    Bytes scratch;
    if (const auto found = message_.property(name, scratch)) {
      if (scratch.empty() || found->data() != scratch.data()) return found;
      // What had to be decoded must last until the whole has been evaluated.
      return decoded_.emplace_front(std::move(scratch));
    }
    if (name == "priority") return std::string_view("0123456789").substr(message_.priority(), 1);
    if (name == "persistent") return message_.persistent() ? "true" : "false";
    if (name == "expires" && message_.expires() != 0)
      return decoded_.emplace_front(std::to_string(message_.expires()));
    return std::nullopt;
  }

 private:
  const Message& message_;
  mutable std::forward_list<Bytes> decoded_;
};

}  // namespace

Selector::Selector(std::unique_ptr<const SelectorTree> tree) noexcept : tree_(std::move(tree)) {}
Selector::~Selector() = default;

Result<std::shared_ptr<const Selector>> Selector::compile(std::string_view text,
                                                          const SelectorLimits& limits) {
  auto tree = detail::SelectorParser(text, limits).parse();
  if (!tree) return std::unexpected(std::move(tree.error()));
  return std::make_shared<const Selector>(*std::move(tree));
}

bool Selector::accepts(const HeaderLookup& headers) const noexcept {
  const Value whole = as_condition(Evaluator(*tree_, headers).value(tree_->root));
  return !whole.null() && whole.boolean;
}

bool Selector::accepts(const Message& message) const { return accepts(MessageHeaders(message)); }

std::string_view Selector::text() const noexcept {
  return std::string_view(tree_->text).substr(0, tree_->source_size);
}

Result<FilterPtr> make_selector(std::string_view text) { return Selector::compile(text); }

}  // namespace hawser::bus
