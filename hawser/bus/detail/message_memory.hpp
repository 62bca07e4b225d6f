// Where messages lie: blocks of a few sizes, handed from the threads that free them to the threads
// that make new ones. Internal to the bus; any thread.
//
// A broker makes each message on its sender's thread and drops it on its consumer's. The heap takes
// a lock for that, and merges and splits blocks all the while; here whole strings of blocks change
// hands, one lock for 64 of them.
#pragma once

#include <cstddef>

namespace hawser::bus::detail {

/// At least `size` bytes, aligned for anything.
void* take_message_memory(std::size_t size);
/// `size` as it was taken. Any thread.
void give_message_memory(void* memory, std::size_t size) noexcept;

}  // namespace hawser::bus::detail
