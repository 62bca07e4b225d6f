// A file on its way out of one connection: opened and read in pieces on the blocking pool. Internal
// to connection_files.cpp. While a job runs it belongs to the pool's thread, else to the
// connection's.
#pragma once

#include <hawser/base/bytes.hpp>
#include <hawser/base/result.hpp>
#include <hawser/net/detail/packet_queue.hpp>
#include <hawser/net/file_to_send.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace hawser::detail {

class FileTransfer {
 public:
  FileTransfer(FileToSend file, std::size_t piece_bytes, WriteDone when_done)
      : what(std::move(file)), done(std::move(when_done)), piece_bytes_(piece_bytes) {}
  FileTransfer(const FileTransfer&) = delete;
  FileTransfer& operator=(const FileTransfer&) = delete;
  ~FileTransfer();

  /// The next piece, after opening if need be. Blocks.
  void read();

  /// Bytes in all, known once it is open.
  std::uint64_t size() const noexcept { return end_ - what.offset; }
  bool complete() const noexcept { return at_ == end_; }

  FileToSend what;
  WriteDone done;
  Result<void> outcome;  ///< of the last read
  Bytes piece;           ///< that it has read
  bool begun = false;    ///< something of it is in the queue

 private:
  Result<void> open();
  Result<void> read_piece();

  std::size_t piece_bytes_;
  int descriptor_ = -1;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace hawser::detail
