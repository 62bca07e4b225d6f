// One message on its way to a process: an intrusive node that knows how to deliver itself. Internal
// to the layers that make messages; users meet cast, call and send_info.
#pragma once

#include <hawser/process/pid.hpp>
#include <hawser/process/trace.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace hawser {

class Process;
class Reason;

/// Allocated from a per-thread pool (see operator new), linked into one mailbox or inbox at a time.
class Message {
 public:
  Message() noexcept = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  virtual ~Message() = default;

  /// Runs in the receiver, as its current callback. May throw: that crashes the receiver.
  virtual void deliver(Process& receiver) = 0;

  /// The receiver (named by the Pid) does not exist, ended first, or refused it; called once, just
  /// before the message is destroyed undelivered. Calls answer their caller here.
  virtual void undelivered(Pid, const Reason&) noexcept {}

  /// What a crash report and a trace call it.
  virtual std::string_view describe() const noexcept = 0;

  /// What a trace says when it comes.
  virtual TraceKind trace_kind() const noexcept { return TraceKind::message; }

  /// Signals of the runtime (exits, links, inspection) are handled while the process is suspended
  /// too, and no mailbox limit refuses them.
  virtual bool is_signal() const noexcept { return false; }

  /// Whether a full mailbox may refuse or drop it. Not what the receiver waits for and what its
  /// sender bounded already: the answer to a call, a step of the receiver's own work.
  virtual bool is_refusable() const noexcept { return !is_signal(); }

  static void* operator new(std::size_t size);
  static void operator delete(void* memory, std::size_t size) noexcept;

 private:
  friend class Mailbox;
  friend class Inbox;
  friend class Scheduler;
  Message* next_ = nullptr;
  std::uint32_t target_index_ = 0;  // set while on its way to another scheduler
  std::uint32_t target_generation_ = 0;
};

/// First in, first out; one process's, one thread's.
class Mailbox {
 public:
  Mailbox() noexcept = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  bool empty() const noexcept { return head_ == nullptr; }
  std::uint32_t size() const noexcept { return size_; }

  void push(Message* message) noexcept {
    message->next_ = nullptr;
    (head_ == nullptr ? head_ : tail_->next_) = message;
    tail_ = message;
    ++size_;
  }
  Message* pop() noexcept {
    Message* message = head_;
    if (message == nullptr) return nullptr;
    head_ = message->next_;
    --size_;
    return message;
  }
  /// Puts every message of `other` before those here: what was set aside comes first again.
  void prepend(Mailbox& other) noexcept {
    if (other.head_ == nullptr) return;
    other.tail_->next_ = head_;
    if (head_ == nullptr) tail_ = other.tail_;
    head_ = other.head_;
    size_ += other.size_;
    other.head_ = nullptr;
    other.size_ = 0;
  }

 private:
  Message* head_ = nullptr;
  Message* tail_ = nullptr;
  std::uint32_t size_ = 0;
};

/// Where other threads put messages for a scheduler: many may push, one takes all.
class Inbox {
 public:
  /// Any thread. True when it was empty: then the owner may be asleep and must be woken.
  bool push(Message* message) noexcept {
    Message* head = head_.load(std::memory_order_relaxed);
    do {
      message->next_ = head;
    } while (!head_.compare_exchange_weak(head, message, std::memory_order_release,
                                          std::memory_order_relaxed));
    return head == nullptr;
  }
  bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == nullptr; }

  /// The owner's thread: everything pushed so far, oldest first, linked by next().
  Message* take_all() noexcept {
    Message* list = head_.exchange(nullptr, std::memory_order_acquire);
    Message* oldest = nullptr;
    while (list != nullptr) {
      Message* next = list->next_;
      list->next_ = oldest;
      oldest = list;
      list = next;
    }
    return oldest;
  }
  static Message* next(const Message* message) noexcept { return message->next_; }

 private:
  std::atomic<Message*> head_{nullptr};
};

}  // namespace hawser
