// Two short strings of blocks a thread and size; what is over goes to a depot that all share.
#include <hawser/bus/detail/message_memory.hpp>

#include <hawser/base/sanitizer.hpp>

#include <array>
#include <mutex>
#include <new>
#include <utility>

namespace hawser::bus::detail {
namespace {

constexpr std::size_t step = 64;
constexpr std::size_t classes = 12;  // up to 768 bytes; larger ones are dear for other reasons
constexpr std::uint32_t string_length = 64;
constexpr std::size_t strings_kept = 256;                 // of one size
constexpr std::size_t bytes_kept = std::size_t{4} << 20;  // of all: what may lie here unused
constexpr std::uint32_t ask_after = 15;  // an empty depot is not worth a lock for each block

struct Block {
  Block* next;
};

/// Blocks of one size, one behind the other.
struct String {
  Block* head = nullptr;
  std::uint32_t count = 0;

  void push(void* memory) noexcept {
    head = ::new (memory) Block{head};
    ++count;
  }
  void* pop() noexcept {
    --count;
    Block* const taken = std::exchange(head, head->next);
    __builtin_prefetch(head, 1);  // read for the next one, then written all over
    return taken;
  }
  void free() noexcept {
    while (count != 0) ::operator delete(pop());
  }
};

/// Full strings that nobody uses now. One for the program, as the heap is.
class Depot {
 public:
  bool take(std::size_t size_class, String& into) noexcept {
    const std::lock_guard lock(mutex_);
    Shelf& shelf = shelves_[size_class];
    if (shelf.count == 0) return false;
    into = shelf.strings[--shelf.count];
    bytes_ -= bytes_of(size_class);
    return true;
  }
  bool give(std::size_t size_class, const String& full) noexcept {
    const std::lock_guard lock(mutex_);
    Shelf& shelf = shelves_[size_class];
    if (shelf.count == strings_kept || bytes_ + bytes_of(size_class) > bytes_kept) return false;
    bytes_ += bytes_of(size_class);
    shelf.strings[shelf.count++] = full;
    return true;
  }

 private:
  struct Shelf {
    std::array<String, strings_kept> strings{};
    std::size_t count = 0;
  };
  static constexpr std::size_t bytes_of(std::size_t size_class) noexcept {
    return (size_class + 1) * step * string_length;
  }
  std::mutex mutex_{};
  std::size_t bytes_ = 0;
  std::array<Shelf, classes> shelves_{};
};

// Never destroyed: messages may outlive everything that is.
constinit Depot depot{};

class Cache {
 public:
  Cache() noexcept = default;
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache() {
    for (Pair& pair : pairs_) {
      pair.used.free();
      pair.spare.free();
    }
    closed_ = true;
  }

  void* take(std::size_t size_class) {
    if (!closed_) [[likely]] {
      Pair& pair = pairs_[size_class];
      if (pair.used.count == 0) {
        std::swap(pair.used, pair.spare);
        if (pair.used.count == 0) {
          if (pair.unasked != 0) {
            --pair.unasked;
          } else if (!depot.take(size_class, pair.used)) {
            pair.unasked = ask_after;
          }
        }
      }
      if (pair.used.count != 0) return pair.used.pop();
    }
    return ::operator new((size_class + 1) * step);
  }

  void give(void* memory, std::size_t size_class) noexcept {
    if (closed_) [[unlikely]] {
      ::operator delete(memory);
      return;
    }
    Pair& pair = pairs_[size_class];
    if (pair.used.count == string_length) {
      std::swap(pair.used, pair.spare);
      if (pair.used.count == string_length) {
        if (!depot.give(size_class, pair.used)) pair.used.free();
        pair.used = {};
      }
    }
    pair.used.push(memory);
  }

 private:
  struct Pair {
    String used{};
    String spare{};             // full or empty
    std::uint32_t unasked = 0;  // blocks to come from the heap before the depot is asked again
  };
  std::array<Pair, classes> pairs_{};
  bool closed_ = false;  // the thread is ending: what comes now goes straight to the heap
};

thread_local Cache cache;

constexpr std::size_t class_of(std::size_t size) noexcept { return (size - 1) / step; }

}  // namespace

void* take_message_memory(std::size_t size) {
  const std::size_t size_class = class_of(size);
  if (!recycles_memory || size_class >= classes) return ::operator new(size);
  return cache.take(size_class);
}

void give_message_memory(void* memory, std::size_t size) noexcept {
  const std::size_t size_class = class_of(size);
  if (!recycles_memory || size_class >= classes) {
    ::operator delete(memory);
    return;
  }
  cache.give(memory, size_class);
}

}  // namespace hawser::bus::detail
