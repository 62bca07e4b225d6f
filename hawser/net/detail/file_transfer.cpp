// open(2) and pread(2), each failure with the file's name.
#include <hawser/net/detail/file_transfer.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hawser::detail {
namespace {
Error invalid(std::string why) {
  return {ErrorKind::invalid_argument, 0, "send_file", std::move(why)};
}
}  // namespace

FileTransfer::~FileTransfer() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileTransfer::read() {
  outcome = descriptor_ < 0 ? open() : Result<void>{};
  if (outcome) outcome = read_piece();
}

Result<void> FileTransfer::open() {
  // Not blocking: for a pipe, of which only the next lines know that it is no file.
  descriptor_ = ::open(what.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat file{};
  if (descriptor_ < 0 || ::fstat(descriptor_, &file) != 0)
    return std::unexpected(system_error(errno, "send_file", what.path));
  if (!S_ISREG(file.st_mode))
    return std::unexpected(invalid(fmt::format("{} is no regular file", what.path)));
  const auto length = static_cast<std::uint64_t>(file.st_size);
  const std::uint64_t there = what.offset <= length ? length - what.offset : 0;
  if (what.offset > length || (what.size != FileToSend::rest && what.size > there))
    return std::unexpected(invalid(fmt::format("{} has only {} bytes", what.path, length)));
  at_ = what.offset;
  end_ = what.offset + std::min(what.size, there);
  return {};
}

Result<void> FileTransfer::read_piece() {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes_, end_ - at_));
  piece.resize(wanted);
  for (std::size_t got = 0; got < wanted;) {
    const ssize_t count =
        ::pread(descriptor_, piece.data() + got, wanted - got, static_cast<off_t>(at_ + got));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(system_error(errno, "send_file", what.path));
    if (count == 0) {
      return std::unexpected(
          Error{ErrorKind::failed, 0, "send_file",
                fmt::format("{} has become shorter: it ends {} bytes before the {} that were to be "
                            "sent",
                            what.path, end_ - at_ - got, size())});
    }
    got += static_cast<std::size_t>(count);
  }
  at_ += wanted;
  return {};
}

}  // namespace hawser::detail
