// What a member of a process group is told: a value that all members share, which group it was
// published to and by whom. Public; an Event may be kept and copied, its value never changes.
#pragma once

#include <hawser/process/pid.hpp>
#include <hawser/process/type_name.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hawser {

class Event {
 public:
  /// The value, or nullptr when it is of another type. Valid as long as any copy of this Event.
  template <class T>
  const T* get() const noexcept {
    return same_type(*body_->type, type_info<T>)
               ? &static_cast<const Holding<T>*>(body_.get())->value
               : nullptr;
  }
  /// The type's name, for logs.
  std::string_view type_name() const noexcept { return body_->type->name; }
  std::string_view group() const noexcept { return body_->group; }
  /// Who published it; no Pid when it was a plain thread.
  Pid publisher() const noexcept { return body_->publisher; }

  template <class T>
  static Event make(std::string_view group, Pid publisher, T value) {
    return Event(std::make_shared<Holding<T>>(group, publisher, std::move(value)));
  }

 private:
  struct Body {
    Body(const TypeInfo& its_type, std::string_view its_group, Pid its_publisher)
        : type(&its_type), group(its_group), publisher(its_publisher) {}
    const TypeInfo* type;
    std::string group;
    Pid publisher;
  };
  template <class T>
  struct Holding : Body {
    Holding(std::string_view its_group, Pid its_publisher, T its_value)
        : Body(type_info<T>, its_group, its_publisher), value(std::move(its_value)) {}
    T value;
  };
  explicit Event(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}

  std::shared_ptr<const Body> body_;  // shared for real: by the mailboxes of all members
};

/// `using Events = hawser::EventTypes<Chat, Left>;` in a handler that has a handle_event for each.
/// (One handle_event alone is found without it.)
template <class... T>
struct EventTypes {};

}  // namespace hawser
