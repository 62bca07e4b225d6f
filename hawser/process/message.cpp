// The pool behind messages: blocks of a few sizes, kept on the thread that freed them.
#include <hawser/process/message.hpp>

#include <hawser/base/sanitizer.hpp>

#include <array>
#include <new>

namespace hawser {
namespace {

constexpr std::size_t block_step = 64;
constexpr std::size_t classes = 8;              // up to 512 bytes; larger ones are rare and plain
constexpr std::uint32_t kept_per_class = 1024;  // bounds what a thread holds: 2.3 MiB at most

struct Block {
  Block* next;
};

// Blocks may be freed on another thread than the one that took them: each is a plain heap block, so
// it simply joins the pool there.
class Pool {
 public:
  Pool() noexcept = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    for (auto& list : lists_)
      while (list.head != nullptr) ::operator delete(std::exchange(list.head, list.head->next));
    closed_ = true;
  }

  void* take(std::size_t size) {
    const std::size_t size_class = (size - 1) / block_step;
    if (size_class >= classes || !recycles_memory) return ::operator new(size);
    List& list = lists_[size_class];
    if (list.head == nullptr) return ::operator new((size_class + 1) * block_step);
    --list.count;
    return std::exchange(list.head, list.head->next);
  }

  void give(void* memory, std::size_t size) noexcept {
    const std::size_t size_class = (size - 1) / block_step;
    if (!recycles_memory || closed_ || size_class >= classes ||
        lists_[size_class].count >= kept_per_class) {
      ::operator delete(memory);
      return;
    }
    List& list = lists_[size_class];
    list.head = ::new (memory) Block{list.head};
    ++list.count;
  }

 private:
  struct List {
    Block* head = nullptr;
    std::uint32_t count = 0;
  };
  std::array<List, classes> lists_{};
  bool closed_ = false;  // the thread is ending: its pool is gone, frees go straight to the heap
};

thread_local Pool pool;

}  // namespace

void* Message::operator new(std::size_t size) { return pool.take(size); }
void Message::operator delete(void* memory, std::size_t size) noexcept { pool.give(memory, size); }

}  // namespace hawser
