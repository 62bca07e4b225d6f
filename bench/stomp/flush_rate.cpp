// What the disk can do by itself: small appends, each made safe before the next.
#include <bench/load/clock.hpp>
#include <bench/stomp/stomp_bench.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace hawser::bench {

Result<double> flush_rate(const std::string& folder, Duration length) {
  const std::string path = folder + "/flush";
  const Descriptor file(
      open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(system_error(errno, "measure the disk", path));
  unlink(path.c_str());
  const std::string block(4096, 'x');
  std::uint64_t count = 0;
  const Instant begun = now();
  do {
    if (write(file.get(), block.data(), block.size()) < 0 || fdatasync(file.get()) != 0)
      return std::unexpected(system_error(errno, "measure the disk", path));
    ++count;
  } while (now() - begun < length);
  return static_cast<double>(count) / to_seconds(now() - begun);
}

}  // namespace hawser::bench
